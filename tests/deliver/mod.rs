//! What is sent is sent once, whatever happens on the way.

mod calls;
mod compose;
mod decisions;
mod people;
mod redis;
mod running;
mod stops;
mod unclear;
mod workers;
