//! The command line: one file a command.

mod context;
mod core;
mod delivery;
mod doctor;
mod drain;
mod init;
mod job;
mod job_shim;
mod orchestrate;
mod pause;
mod python;
mod replay;
mod run;
mod runs;
mod serve;
mod sink;
mod summary;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::BadInput;
use crate::secrets::scrub;

/// What the user gave cannot be used, as clap itself exits.
pub const BAD_INPUT: u8 = 2;
/// The command ran and found or left something wrong.
pub const TROUBLE: u8 = 1;

/// Runs pytest and hands its events, as they happen, to WebAssembly sinks.
#[derive(Debug, Parser)]
#[command(
    name = "host",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run pytest under the host
    Run(run::Args),
    /// Deliver what runs have left
    Drain(drain::Args),
    /// Play a recorded run into any sinks
    Replay(replay::Args),
    /// Stay up: runs that attach, and the HTTP API
    Serve(serve::Args),
    /// Watch runs from another terminal
    Watch(watch::Args),
    /// Start, watch and stop pytest runs of a `host serve`
    #[command(subcommand)]
    Job(job::Command),
    /// Look into paused tests, and let them go on
    #[command(subcommand)]
    Pause(pause::Command),
    /// Look at descriptions of orchestrated tests
    #[command(subcommand)]
    Orchestrate(orchestrate::Command),
    /// Look at the runs that are kept, move and remove them
    #[command(subcommand)]
    Runs(runs::Command),
    /// Look at the sinks
    #[command(subcommand)]
    Sink(sink::Command),
    /// Tell what is installed and whether sinks can be reached
    Doctor(doctor::Args),
    /// Write a host.toml to start from
    Init(init::Args),
    #[command(hide = true)]
    Core(core::Args),
    #[command(hide = true)]
    JobShim(job_shim::Args),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Drain(args) => drain::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Job(command) => job::run(&command),
        Command::Pause(command) => pause::run(&command),
        Command::Orchestrate(command) => orchestrate::run(&command),
        Command::Runs(command) => runs::run(&command),
        Command::Sink(command) => sink::run(&command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Core(args) => core::run(&args),
        Command::JobShim(args) => job_shim::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("host: {}", scrub(&format!("{error:#}")));
            ExitCode::from(if error.is::<BadInput>() {
                BAD_INPUT
            } else {
                TROUBLE
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_arguments_fit_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    /// Every line of the documents that shows a command of ours.
    fn documented() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let docs = std::fs::read_dir(root.join("docs")).unwrap();
        let files = docs
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .chain([root.join("README.md")]);
        files
            .map(|file| std::fs::read_to_string(file).unwrap())
            .flat_map(|text| {
                let shown = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("    host "));
                shown.map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn the_documented_commands_are_understood() {
        let lines = documented();
        assert!(lines.len() > 5, "{lines:?}");
        for line in lines {
            let words = shell_words::split(line.split("  #").next().unwrap()).unwrap();
            let words = std::iter::once("host".to_owned()).chain(words);
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("host {line}: {error}");
            }
        }
    }
}
