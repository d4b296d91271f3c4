//! `host runs …`: what is kept of runs.

mod look;
mod ls;
mod prune;
mod show;
mod transfer;

use std::process::ExitCode;

use super::context;
use crate::config::{BadInput, Config};
use crate::state::StateFolder;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the runs that are kept, the newest first
    Ls(ls::Args),
    /// Show what became of a run
    Show(show::Args),
    /// Write a run to a file, to be taken elsewhere
    Export(transfer::Export),
    /// Read a run from such a file
    Import(transfer::Import),
    /// Remove old runs
    Prune(prune::Args),
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    match command {
        Command::Ls(args) => ls::run(args, &config),
        Command::Show(args) => show::run(args, &config),
        Command::Export(args) => transfer::export(args, &config),
        Command::Import(args) => transfer::import(args, &config),
        Command::Prune(args) => prune::run(args, &config),
    }
}

/// The run that is meant, and where it is.
fn find(config: &Config, wanted: &str) -> Result<(StateFolder, String), BadInput> {
    let state = StateFolder::find(config.root());
    let ids = state.as_ref().map_or_else(Vec::new, StateFolder::runs);
    let id = context::run_named(&ids, wanted)?;
    let state = state.ok_or_else(|| BadInput("the state folder is gone".to_owned()))?;
    Ok((state, id))
}

/// `12.3 MiB`
fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}
