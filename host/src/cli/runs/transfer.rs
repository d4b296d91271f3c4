//! `host runs export` and `host runs import`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;

use super::size;
use crate::cli::context;
use crate::config::{BadInput, Config};
use crate::state::archive::{self, ArchiveError, MOST};
use crate::text::printable;

/// Write a run to a file, to be taken elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host runs export last
  host runs export 2026-11-21T10-10-42-3f9a -o failed.tar.gz

The file has what tests print and the arguments of pytest, but nothing of the sinks.")]
pub struct Export {
    /// The run's name, or `last`
    run: String,
    /// The file [default: RUN.tar.gz here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Read a run from a file that `host runs export` wrote.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host runs import failed.tar.gz
  host runs import failed.tar.gz --as 2026-11-21T10-10-42-0001

Nothing is delivered from a run that was imported; host runs show, host watch and
host replay read it as any other.")]
pub struct Import {
    /// The file
    file: PathBuf,
    /// Name it so
    #[arg(long = "as", value_name = "RUN")]
    name: Option<String>,
    /// What it may take on the disk
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(MOST))]
    max_size: ByteSize,
}

pub fn export(args: &Export, config: &Config) -> anyhow::Result<ExitCode> {
    let (state, id) = super::find(config, &args.run)?;
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{id}.tar.gz")));
    let shown = output.display().to_string();
    let done = archive::export(&state, &id, &output)
        .map_err(|error| anyhow::Error::msg(printable(&format!("run {id} to {shown}: {error}"))))?;
    let part = if done.is_part {
        "; it is not over: this is as far as it has come"
    } else {
        ""
    };
    println!(
        "{shown}: run {id}, {} events, {}{part}",
        done.events,
        size(done.bytes)
    );
    Ok(ExitCode::SUCCESS)
}

pub fn import(args: &Import, config: &Config) -> anyhow::Result<ExitCode> {
    let state = context::state(config)?;
    let most = args.max_size.as_u64();
    let name = archive::import(&state, &args.file, args.name.as_deref(), most)
        .map_err(|error| told(&args.file, &error))?;
    println!("run {name} is here; look at it with: host runs show {name}");
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with a file may be told in words from it.
fn told(file: &Path, error: &ArchiveError) -> anyhow::Error {
    let text = printable(&format!("{}: {error}", file.display()));
    if error.is_bad_input() {
        BadInput(text).into()
    } else {
        anyhow::Error::msg(text)
    }
}
