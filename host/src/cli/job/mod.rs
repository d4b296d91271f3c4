//! `host job …`: pytest runs that a `host serve` has.

mod act;
mod client;
mod logs;
mod ls;
mod show;
mod start;

use std::process::ExitCode;

use super::context;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Start a pytest run, or one that has collected
    Start(start::Start),
    /// Collect tests, and print what there is
    Collect(start::Collect),
    /// List the jobs
    Ls(ls::Args),
    /// Show a job and what it has printed
    Show(show::Args),
    /// Stop a job, and wait until it has ended
    Stop(act::Stop),
    /// Remove jobs from the list; those that run are not stopped
    Rm(act::Rm),
    /// Print what a job prints
    Logs(logs::Args),
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Start(args) => start::start(args).await,
            Command::Collect(args) => start::collect(args).await,
            Command::Ls(args) => ls::run(args).await,
            Command::Show(args) => show::run(args).await,
            Command::Stop(args) => act::stop(args).await,
            Command::Rm(args) => act::rm(args).await,
            Command::Logs(args) => logs::run(args).await,
        }
    })
}
