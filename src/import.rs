//! Mentions and contacts from files, through the same pipeline as the networks.
