//! `host sink swap`: another module takes over a sink while its run goes on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{TROUBLE, context};
use crate::config::{BadInput, nearest};
use crate::control::{self, Control};
use crate::journal::JournalReader;
use crate::protocol::control::{FromControl, ToControl};
use crate::state::StateFolder;

/// Let another module take over a sink while its run goes on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink swap mine target/wasm32-wasip2/release/mine.wasm
  host sink swap mine mended.wasm --run 2026-11-21T10-10-42-3f9a

Exits with 0 once the module has taken over, with 1 where it is refused and the one before
goes on, with 2 for bad input, such as where no run is under way. It holds for that run,
until the sink's table or its module's file changes; host.toml stays as it is.")]
pub struct Args {
    /// The sink's name
    name: String,
    /// The component
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// The run's name, or `last` [default: all that are under way]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Print what became of it as JSON
    #[arg(long)]
    json: bool,
}

/// What became of it in one run.
#[derive(Debug, serde::Serialize)]
struct Outcome {
    run: String,
    sink: String,
    swapped: bool,
    /// Why not.
    reason: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    let module = std::path::absolute(&args.module).context("the working directory is gone")?;
    let none = || {
        BadInput(format!(
            "no run is under way for {}",
            config.root().display()
        ))
    };
    let state = StateFolder::find(config.root()).ok_or_else(none)?;
    let runs = with_sink(args, &state, living(args, &state, none)?)?;
    let mut outcomes = Vec::new();
    for Living { run, core } in runs {
        let swapped = ask(core, &run, &args.name, &module);
        let reason = swapped.err().map(|error| format!("{error:#}"));
        let outcome = Outcome {
            run,
            sink: args.name.clone(),
            swapped: reason.is_none(),
            reason,
        };
        if !args.json {
            show(&outcome);
        }
        outcomes.push(outcome);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcomes)?);
    }
    let swapped = outcomes.iter().all(|outcome| outcome.swapped);
    Ok(if swapped {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TROUBLE)
    })
}

fn show(outcome: &Outcome) {
    let Outcome { run, sink, .. } = outcome;
    match &outcome.reason {
        None => println!("run {run}: {sink} is swapped"),
        Some(reason) => println!("run {run}: refused, {sink} goes on as it was: {reason}"),
    }
}

/// A run with a core that can be reached.
struct Living {
    run: String,
    core: Control,
}

fn living(
    args: &Args,
    state: &StateFolder,
    none: impl Fn() -> BadInput,
) -> Result<Vec<Living>, BadInput> {
    let ids = state.runs();
    let wanted = match &args.run {
        Some(wanted) => vec![context::run_named(&ids, wanted)?],
        None => ids,
    };
    let living: Vec<Living> = wanted
        .iter()
        .filter(|run| state.is_owned(run))
        .filter_map(|run| {
            let core = control::core_of(state, run)?;
            let run = run.clone();
            Some(Living { run, core })
        })
        .collect();
    match (&args.run, wanted.first()) {
        _ if !living.is_empty() => Ok(living),
        (Some(_), Some(run)) => Err(BadInput(format!("run {run} is not under way"))),
        _ => Err(none()),
    }
}

/// Those of the runs that have the sink; where none has, it is a slip of the pen.
fn with_sink(args: &Args, state: &StateFolder, runs: Vec<Living>) -> Result<Vec<Living>, BadInput> {
    let mut names = Vec::new();
    let (with, without): (Vec<Living>, Vec<Living>) = runs.into_iter().partition(|living| {
        let known = sinks(state, &living.run);
        let has = known.contains(&args.name);
        names.extend(known);
        has
    });
    if !with.is_empty() || without.is_empty() {
        return Ok(with);
    }
    let hint = nearest(&args.name, names.iter().map(String::as_str))
        .unwrap_or_else(|| format!("; there are {}", names.join(", ")));
    Err(BadInput(format!(
        "no run that is under way has a sink {:?}{hint}",
        args.name
    )))
}

fn sinks(state: &StateFolder, run: &str) -> Vec<String> {
    let reader = JournalReader::open(&state.journal_of(run)).ok().flatten();
    let sinks = reader.and_then(|reader| reader.sinks().ok());
    let sinks = sinks.into_iter().flatten();
    sinks.map(|sink| sink.name).collect()
}

/// Has the core of a run swap the sink, and waits until it has.
fn ask(mut core: Control, run: &str, sink: &str, module: &Path) -> anyhow::Result<()> {
    let swap = FromControl::Swap {
        run: run.to_owned(),
        sink: sink.to_owned(),
        module: module.to_owned(),
    };
    let answer = core
        .ask(&swap)
        .context("the host of the run ended before it answered")?;
    match answer {
        ToControl::Swapped { .. } => Ok(()),
        ToControl::Refused { message } => Err(anyhow::Error::msg(message)),
        other => anyhow::bail!("the host said {other:?}"),
    }
}
