//! Whole tests, in virtual time.

mod descriptions;
mod ends;
mod errors;
mod schedule;
mod world;
