//! The host core: takes sessions in over its socket, and runs their sinks.

mod connection;
mod lines;
mod run;
mod server;

pub use lines::{read_line, write_line};
pub use run::{Run, RunError, load};
pub use server::{ServeError, serve};
