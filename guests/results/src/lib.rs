//! The result object that the sinks `publish` and `pubdir` share: what it is made of, how it is written, and
//! which events have one.

mod result;
mod results;

pub use result::{Exception, Outcome, TestResult};
pub use results::Results;
