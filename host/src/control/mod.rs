//! Commands talk to the cores of runs that are under way.

mod address;
mod client;

pub use address::{forget_address, write_address};
pub use client::{Control, core_of, living};
