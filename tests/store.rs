//! Contract tests of the store, over both databases.

mod mentions;
mod open;
mod streams;
