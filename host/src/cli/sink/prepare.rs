//! `host sink prepare`: what the first run with a sink would wait for, done before.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::build::Script;
use crate::cli::context;
use crate::config::{BadInput, Request, SinkSpec};
use crate::guest::module::{Module, script_of};

/// Build and compile sinks, so that the next run with them starts at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink prepare                     those of host.toml
  host sink prepare ./report.py pubdir

What is built of a script, and what is compiled, is kept for this user by content.")]
pub struct Args {
    /// The sinks, as `host run --sinks` names them
    sinks: Vec<String>,
    /// Build what was not built before, and say nothing of what was
    #[arg(long)]
    new: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let directory = context::directory()?;
    let request = Request {
        sinks: (!args.sinks.is_empty()).then(|| args.sinks.clone()),
        ..Request::default()
    };
    if args.new {
        scripts(&directory, &request)?;
    } else {
        let specs = context::config(&directory)?.select(&request)?;
        specs.iter().try_for_each(prepare)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes those of a request ready that are scripts and were not built yet, and says so. What is
/// wrong with the request is told by whoever loads it.
///
/// # Errors
///
/// A script that cannot be built.
pub fn scripts(directory: &Path, request: &Request) -> Result<(), BadInput> {
    let Ok(specs) = context::config(directory).and_then(|config| config.select(request)) else {
        return Ok(());
    };
    let new = |spec: &&SinkSpec| {
        let script = script_of(&spec.module).and_then(|file| Script::read(file).ok());
        script.is_some_and(|script| !script.is_built())
    };
    specs.iter().filter(new).try_for_each(prepare)
}

fn prepare(spec: &SinkSpec) -> Result<(), BadInput> {
    let bad = |error: &dyn std::fmt::Display| BadInput(format!("sink {}: {error}", spec.name));
    if let Some(file) = script_of(&spec.module)
        && let script = Script::read(file).map_err(|e| bad(&e))?
        && !script.is_built()
        && spec.sha256.as_ref().is_none_or(|pin| *pin == script.digest)
    {
        let began = Instant::now();
        let component = script
            .component(&mut |line| eprintln!("host: {line}"))
            .map_err(|e| bad(&e))?;
        eprintln!(
            "host: {} built in {:.1} s, {}; compiling",
            file.display(),
            began.elapsed().as_secs_f64(),
            bytesize::ByteSize(component.len() as u64).display().si()
        );
    }
    let began = Instant::now();
    Module::load(&spec.module, spec.sha256.as_deref()).map_err(|e| bad(&e))?;
    eprintln!(
        "host: {} is ready ({:.1} s)",
        spec.name,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
