//! `host orchestrate`: descriptions of orchestrated tests, looked at without running them.

mod check;
mod plan;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::BadInput;
use crate::guest::orchestrator::{LoadError, Orchestrator};
use crate::orchestration::source;

/// Look at descriptions of orchestrated tests.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print what would start when, without running it
    Plan(plan::Args),
    /// Say whether descriptions are right, and if not, where
    Check(check::Args),
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Plan(args) => plan::run(args),
        Command::Check(args) => check::run(args),
    }
}

/// What decides what starts when.
#[derive(Debug, clap::Args)]
struct Choice {
    /// How long the test takes, in place of what the description says
    #[arg(long, value_name = "HOURS")]
    hours: Option<f64>,
    /// The seed of what is left to chance
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// A component that orchestrates, in place of the built-in one
    #[arg(long, value_name = "FILE")]
    orchestrator: Option<PathBuf>,
}

impl Choice {
    /// An orchestrator that has taken the description.
    fn load(&self, file: &Path) -> Result<Orchestrator, BadInput> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| BadInput(format!("{shown}: cannot be read: {error}")))?;
        let source = source(self.orchestrator.as_deref());
        Orchestrator::load(&source, &text, self.hours, self.seed).map_err(|error| {
            BadInput(match error {
                // Its place follows the file's name.
                LoadError::Description(problem) if starts_with_digit(&problem) => {
                    format!("{shown}:{problem}")
                }
                other => format!("{shown}: {other}"),
            })
        })
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}
