//! Brands and accounts, with their encrypted credentials.
