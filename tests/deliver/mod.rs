//! What is sent is sent once, whatever happens on the way.

mod calls;
mod compose;
mod groups;
mod people;
mod redis;
mod running;
mod unclear;
mod workers;
