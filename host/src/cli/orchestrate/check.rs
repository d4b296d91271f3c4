//! `host orchestrate check`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::Choice;
use crate::cli::BAD_INPUT;
use crate::secrets::scrub;

/// Say whether descriptions are right, and if not, where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host orchestrate check orchestration/descriptions/soak.json
  host orchestrate check orchestration/descriptions/*.json

Whether every event has a function: pytest --load-orch. The exit code is 2 where
something is wrong.")]
pub struct Args {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    choice: Choice,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in &args.files {
        match args.choice.load(file) {
            Ok(_) => writeln!(io::stdout(), "{}: ok", file.display())?,
            Err(bad) => {
                code = ExitCode::from(BAD_INPUT);
                eprintln!("host: {}", scrub(&bad.to_string()));
            }
        }
    }
    Ok(code)
}
