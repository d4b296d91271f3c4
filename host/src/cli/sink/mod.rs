//! `host sink …`: looks at the sinks, and swaps them.

mod add;
mod dead_letters;
mod ls;
mod swap;

use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Ls(ls::Args),
    Add(add::Args),
    DeadLetters(dead_letters::Args),
    Swap(swap::Args),
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ls(args) => ls::run(args),
        Command::Add(args) => add::run(args),
        Command::DeadLetters(args) => dead_letters::run(args),
        Command::Swap(args) => swap::run(args),
    }
}
