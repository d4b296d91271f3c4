//! Delivery: one worker a sink, behind a cursor of its own.

mod outbox;
mod redelivery;
mod report;
mod subject;
mod worker;

pub use redelivery::put_back;
pub use report::{Phase, Standing};
pub use subject::Subject;
pub use worker::{Control, SinkHandle, spawn};
