//! Contract tests of the store, over both databases.

mod contacts;
mod corrections;
mod faults;
mod mentions;
mod open;
mod streams;
