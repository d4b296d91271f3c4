//! `host sink …`: makes, builds, looks at and swaps sinks.

mod add;
mod bench;
mod build;
mod check;
mod dead_letters;
mod ls;
mod new;
pub mod prepare;
mod record;
mod subject;
mod swap;
mod test;

use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Ls(ls::Args),
    Add(add::Args),
    Bench(bench::Args),
    Build(build::Args),
    Check(check::Args),
    DeadLetters(dead_letters::Args),
    New(new::Args),
    Prepare(prepare::Args),
    Record(record::Args),
    Swap(swap::Args),
    Test(test::Args),
}

pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ls(args) => ls::run(args),
        Command::Add(args) => add::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::DeadLetters(args) => dead_letters::run(args),
        Command::New(args) => new::run(args),
        Command::Prepare(args) => prepare::run(args),
        Command::Record(args) => record::run(args),
        Command::Swap(args) => swap::run(args),
        Command::Test(args) => test::run(args),
    }
}
