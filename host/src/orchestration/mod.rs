//! Orchestrated tests: a guest decides what starts when, the adapter does it, and this
//! carries the one to the other, on time.

mod call;
mod drive;
mod live;
pub mod plan;
mod steps;

pub use live::Orchestrations;

use std::path::Path;

use crate::config::ModuleSource;
use crate::guest::builtin::ORCHESTRATION;

/// Where the component is that orchestrates.
#[must_use]
pub fn source(named: Option<&Path>) -> ModuleSource {
    named.map_or_else(
        || ModuleSource::Builtin(ORCHESTRATION.to_owned()),
        |path| ModuleSource::File(path.to_owned()),
    )
}
