//! The sink that is tried, with its settings.

use std::time::{Duration, Instant};

use crate::config::{BadInput, SinkSpec};
use crate::guest::bindings::exported::{Misconfiguration, Need};
use crate::guest::module::Module;
use crate::guest::sink;
use crate::secrets::scrubbed;

/// A sink that is loaded and has accepted its settings.
pub struct Subject {
    pub spec: SinkSpec,
    pub module: Module,
    pub needs: Vec<Need>,
    /// How long loading took, compiling included where it was not compiled before.
    pub loaded_in: Duration,
}

impl Subject {
    /// Loads a sink.
    ///
    /// # Errors
    ///
    /// A module that is no sink, or settings that it does not take.
    pub fn load(spec: SinkSpec) -> Result<Self, BadInput> {
        let place = |problem: &dyn std::fmt::Display| {
            BadInput(scrubbed(format!("sink {}: {problem}", spec.name)))
        };
        let began = Instant::now();
        let module = Module::load(&spec.module, spec.sha256.as_deref()).map_err(|e| place(&e))?;
        let loaded_in = began.elapsed();
        let needs = sink::needs(&spec)?.map_err(|wrong| refused(&spec, &wrong))?;
        Ok(Self {
            module,
            needs,
            loaded_in,
            spec,
        })
    }
}

fn refused(spec: &SinkSpec, wrong: &Misconfiguration) -> BadInput {
    let key = wrong.key.as_deref();
    let key = key.map_or_else(String::new, |key| format!("{key}: "));
    let remedy = match wrong.key {
        Some(_) => " (--set KEY=VALUE)",
        None => "",
    };
    BadInput(scrubbed(format!(
        "sink {}: {key}{}{remedy}",
        spec.name, wrong.problem
    )))
}
