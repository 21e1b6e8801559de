//! What is built once at start and handed to the web and the worker loops.
