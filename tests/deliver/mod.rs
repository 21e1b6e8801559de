//! What is sent is sent once, whatever happens on the way.

mod bad_input;
mod calls;
mod campaigns;
mod compose;
mod decisions;
mod groups;
mod lanes;
mod outage;
mod people;
mod quiet;
mod recurring;
mod redis;
mod running;
mod stops;
mod threads;
mod unclear;
mod workers;
