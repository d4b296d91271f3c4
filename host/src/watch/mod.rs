//! What runs are doing, for whoever looks on: reads their journals while cores
//! write them, and is in nobody's way.

mod counts;
mod document;
mod failure;
mod model;
mod news;
mod orchestrated;
pub mod plain;
mod runs;
mod step;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
pub mod view;
pub mod words;

pub use counts::{Counts, VERDICTS};
pub use document::Document;
pub use failure::test;
pub use model::{FAILURES, Key};
pub use news::{News, Teller};
pub use runs::{State, Watched, Watcher};
pub use step::Step;
pub use summary::Summary;
