//! Delivery: one worker a sink, behind a cursor of its own.

mod ending;
mod order;
mod outbox;
mod redelivery;
mod report;
mod subject;
mod swap;
mod worker;

pub use order::{Order, Orders, Refused};
pub use redelivery::put_back;
pub use report::{Phase, Standing};
pub use subject::Subject;
pub use worker::{Control, SinkHandle, spawn};
