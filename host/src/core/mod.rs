//! The host core: takes sessions in over its socket, and runs their sinks.

mod change;
mod changes;
mod connection;
mod control;
mod left;
mod lines;
mod pauses;
mod policy;
mod run;
mod server;
mod stay;
mod take_up;
mod watch;

pub use left::{Left, Living, Refused};
pub use lines::{read_line, write_line};
pub use run::{Run, RunError, load};
pub use server::{ServeError, selected, serve};
pub use stay::Staying;
