//! The result object that the sinks `publish` and `pubdir` share: what it is made of, how it is written, and
//! in which order results leave.

mod delivery;
mod python;
mod result;
mod texts;

pub use delivery::{Parcel, Results, Tried, deliver};
pub use python::repr;
pub use result::{Exception, Outcome, TestResult};
