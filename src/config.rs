//! The configuration file and the environment over it.
