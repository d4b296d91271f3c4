//! The one sink that `check`, `test` and `bench` are about.

use crate::cli::context;
use crate::config::{BadInput, Config, Request, SinkSpec};

/// Which sink, with which settings.
#[derive(Debug, clap::Args)]
pub struct Choice {
    /// A component, a script, or the name of a sink
    #[arg(value_name = "FILE")]
    pub file: String,
    /// One of its settings, over those of host.toml
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Choice {
    /// Configured as it would be in a run from here.
    pub fn spec(&self) -> anyhow::Result<SinkSpec> {
        let config = context::config(&context::directory()?)?;
        Ok(self.within(&config)?)
    }

    fn within(&self, config: &Config) -> Result<SinkSpec, BadInput> {
        // `report.wasm` is a path, `report` a name.
        let (name, _) = config.named(&self.file)?;
        let set = self.set.iter().map(|text| format!("{name}.{text}"));
        let request = Request {
            sinks: Some(vec![self.file.clone()]),
            set: set.collect(),
            ..Request::default()
        };
        let mut specs = config.select(&request)?;
        specs
            .pop()
            .ok_or_else(|| BadInput(format!("{}: is no sink", self.file)))
    }
}
