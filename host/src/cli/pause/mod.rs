//! `host pause …`: tests that wait for somebody.

mod act;
mod ls;
mod resume;
mod show;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use super::{TROUBLE, context};
use crate::pause::{Ways, default_folder};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the pauses that are open
    Ls(ls::Args),
    /// Wait for a test to pause
    Watch(watch::Args),
    /// Show the test, its failure, what it printed, and where it is
    Show(show::Args),
    /// Let a paused test go on
    Resume(resume::Args),
    /// Put the deadline off
    Extend(act::Extend),
    /// Let a paused test fail, or end the run
    Abort(act::Abort),
    /// Evaluate an expression inside a paused test
    Eval(act::Eval),
    /// Tell how to attach a debugger
    Attach(act::Attach),
}

/// Where pause files are.
#[derive(Debug, clap::Args)]
struct Where {
    /// The --pause-dir of pytest, where it was not the default
    #[arg(long, value_name = "PATH")]
    pause_dir: Option<PathBuf>,
}

impl Where {
    fn ways(&self) -> anyhow::Result<Ways> {
        let top = self.pause_dir.clone().unwrap_or_else(default_folder);
        Ok(Ways::new(&context::directory()?, &top))
    }
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    match command {
        Command::Ls(args) => ls::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Show(args) => show::run(args),
        Command::Resume(args) => resume::run(args),
        Command::Extend(args) => act::extend(args),
        Command::Abort(args) => act::abort(args),
        Command::Eval(args) => act::eval(args),
        Command::Attach(args) => act::attach(args),
    }
}

/// Says why not, as scripts that used pytest-live-pause know it.
fn refused(lines: &[String]) -> ExitCode {
    for line in lines {
        eprintln!("{line}");
    }
    ExitCode::from(TROUBLE)
}
