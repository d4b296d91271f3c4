//! Delivery: one worker a sink, behind a cursor of its own.

mod outbox;
mod report;
mod worker;

pub use report::{Phase, Standing};
pub use worker::{Control, SinkHandle, spawn};
