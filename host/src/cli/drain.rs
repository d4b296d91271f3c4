//! `host drain`: delivers what runs have left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::delivery::{Interrupt, LAST_CALL, Wait};
use super::{TROUBLE, context, summary};
use crate::config::{BadInput, Config, SinkSpec, nearest};
use crate::core::{Left, Living, Refused};
use crate::journal::JournalReader;
use crate::protocol::message::SinkReport;
use crate::state::StateFolder;
use crate::topic::Topics;

/// How long intake may take for what a living pytest has written so far.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Deliver what runs have left: after an endpoint was down, or a core was killed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host drain
  host drain 2026-11-21T10-10-42-3f9a --sink publish --timeout '2 min'
  host drain --set 'publish.headers.Authorization=${AUTHORIZATION}'

Exits with 0 where nothing is left, with 1 where something is or a run had to be skipped,
with 2 for bad input. Ctrl-C ends the wait; what is left is kept.")]
pub struct Args {
    /// The run's name, or `last` [default: all that have something left]
    pub(super) run: Option<String>,
    /// Deliver to this sink only
    #[arg(long, value_name = "NAME")]
    pub(super) sink: Option<String>,
    /// A secret setting, over what host.toml has; those are not kept with a run
    #[arg(long = "set", value_name = "SINK.KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// How long to try, for each run
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
    /// Print what became of each run as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What became of a run.
#[derive(Debug, serde::Serialize)]
pub(super) struct Drained {
    pub(super) run: String,
    /// Why nothing was tried.
    pub(super) skipped: Option<String>,
    pub(super) sinks: Vec<SinkReport>,
}

impl Drained {
    fn skipped(run: &str, why: String) -> Self {
        Self {
            run: run.to_owned(),
            skipped: Some(why),
            sinks: Vec::new(),
        }
    }

    /// Something is left, of whatever sink.
    pub(super) fn has_left(&self) -> bool {
        self.skipped.is_some() || self.sinks.iter().any(|sink| sink.left > 0)
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let mut config = context::config(&context::directory()?)?;
    config.set(&args.set, "--set")?;
    let Some(state) = StateFolder::find(config.root()) else {
        return none(
            args,
            &format!("no run was ever kept for {}", config.root().display()),
        );
    };
    let mut ids = state.runs();
    if let Some(wanted) = &args.run {
        ids = vec![context::run_named(&ids, wanted)?];
    }
    if let Some(sink) = &args.sink {
        known_sink(&state, &ids, sink)?;
    }
    for set in &args.set {
        known_sink(&state, &ids, set.split('.').next().unwrap_or_default())?;
    }
    let interrupt = Interrupt::new()?;
    let mut drained = Vec::new();
    for id in ids {
        let outcome = if interrupt.is_set() {
            has_left(args, &state.journal_of(&id))
                .then(|| Drained::skipped(&id, "interrupted".to_owned()))
        } else {
            drain_until(args, &state, &config, &id, &interrupt)
        };
        if let Some(outcome) = outcome {
            if !args.json {
                show(&outcome);
            }
            drained.push(outcome);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&drained)?);
    } else if drained.is_empty() {
        println!("nothing is left to deliver");
    }
    let left = drained.iter().any(Drained::has_left);
    Ok(if left {
        ExitCode::from(TROUBLE)
    } else {
        ExitCode::SUCCESS
    })
}

fn none(args: &Args, why: &str) -> anyhow::Result<ExitCode> {
    println!("{}", if args.json { "[]" } else { why });
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(outcome: &Drained) {
    println!("run {}", outcome.run);
    if let Some(why) = &outcome.skipped {
        println!("host: {why}");
    }
    print!("{}", summary::lines(&outcome.sinks));
}

/// Delivers one run; none where it has nothing left.
pub(super) fn drain(
    args: &Args,
    state: &StateFolder,
    config: &Config,
    id: &str,
) -> Option<Drained> {
    match Interrupt::new() {
        Ok(interrupt) => drain_until(args, state, config, id, &interrupt),
        Err(error) => Some(Drained::skipped(id, error.to_string())),
    }
}

fn drain_until(
    args: &Args,
    state: &StateFolder,
    config: &Config,
    id: &str,
    interrupt: &Interrupt,
) -> Option<Drained> {
    let wanted = |spec: &SinkSpec| args.sink.as_ref().is_none_or(|name| *name == spec.name);
    let left = match Left::take_up(state, config, id, wanted, Living::Follow, &Topics::off()) {
        Ok(left) => left,
        Err(Refused::Nothing) => return None,
        Err(Refused::Owned) if !has_left(args, &state.journal_of(id)) => return None,
        Err(refused) => return Some(Drained::skipped(id, refused.to_string())),
    };
    let started = Instant::now();
    let closes = left.alive.is_empty();
    let wait = Wait {
        reports: &|| left.reports(),
        is_filled: &|| true,
        is_over: &|| {
            if closes {
                left.run().is_delivered()
            } else {
                started.elapsed() > CATCH_UP && left.run().has_caught_up()
            }
        },
    };
    wait.run(args.timeout, interrupt);
    left.run().stop();
    let why = (!closes).then(|| {
        let pids: Vec<String> = left.alive.iter().map(u32::to_string).collect();
        format!("its pytest (process {}) still runs; what it reports from now on goes out with the next drain", pids.join(", "))
    });
    let sinks = left.reports();
    left.leave(LAST_CALL);
    Some(Drained {
        run: id.to_owned(),
        skipped: why,
        sinks,
    })
}

/// Whether a run that a core is at work on has something left; as long as nobody
/// can tell it may.
fn has_left(args: &Args, journal: &Path) -> bool {
    let Ok(Some(reader)) = JournalReader::open(journal) else {
        return true;
    };
    let (Ok(head), Ok(mut sinks)) = (reader.head(), reader.sinks()) else {
        return true;
    };
    sinks.retain(|sink| args.sink.as_ref().is_none_or(|name| *name == sink.name));
    !head.closed || sinks.iter().any(|sink| !sink.closed)
}

/// A sink that no run has is a slip of the pen.
pub(super) fn known_sink(
    state: &StateFolder,
    ids: &[String],
    wanted: &str,
) -> Result<(), BadInput> {
    let names: BTreeSet<String> = ids
        .iter()
        .filter_map(|id| JournalReader::open(&state.journal_of(id)).ok().flatten())
        .filter_map(|reader| reader.sinks().ok())
        .flatten()
        .map(|sink| sink.name)
        .collect();
    if names.is_empty() || names.contains(wanted) {
        return Ok(());
    }
    let hint = nearest(wanted, names.iter().map(String::as_str)).unwrap_or_else(|| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("; there are {}", names.join(", "))
    });
    Err(BadInput(format!("no run has a sink {wanted:?}{hint}")))
}
