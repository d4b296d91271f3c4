//! Builds, tests and shows pytest-host; every command does the set-up it needs, once.

mod bench;
mod contract;
mod demo;
mod fuzz;
mod guests;
mod process;
mod python;
mod steps;
mod test;
mod toolchain;
mod tools;
mod wheel;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about,
    disable_version_flag = true
)]
#[command(about = "Builds, tests and shows pytest-host")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Test(test::Arguments),
    Bench(bench::Arguments),
    Contract(contract::Arguments),
    Fuzz(fuzz::Arguments),
    Guests(guests::Arguments),
    Wheel(wheel::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // The last line, and without a backtrace, which would hide what the step itself printed.
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let workspace = Workspace::find()?;
    match arguments.command {
        Command::Demo(_) => demo::run_command(&workspace),
        Command::Test(arguments) => test::run_command(&workspace, &arguments),
        Command::Bench(arguments) => bench::run_command(&workspace, &arguments),
        Command::Contract(arguments) => contract::run(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::run_command(&workspace, &arguments),
        Command::Guests(arguments) => guests::run(&workspace, &arguments),
        Command::Wheel(arguments) => wheel::run_command(&workspace, &arguments),
    }
}
