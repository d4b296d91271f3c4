//! `host job-shim`: the parent of a job's process; see `job`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::job;

/// Run one job's process; started by `host serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it says what to run
    folder: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    job::run_shim(&args.folder)?;
    Ok(ExitCode::SUCCESS)
}
