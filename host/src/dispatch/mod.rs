//! Delivery: one worker a sink, behind a cursor of its own.

mod ending;
mod handle;
mod loss;
mod order;
mod outbox;
mod redelivery;
mod report;
mod seat;
mod subject;
mod swap;
mod worker;

pub use handle::{Control, SinkHandle, spawn};
pub use order::{Order, Orders, Refused};
pub use redelivery::put_back;
pub use report::{Phase, Standing};
pub use subject::Subject;
