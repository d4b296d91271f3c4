//! `host drain`: delivers what runs have left.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::summary::{self, Bar};
use super::{TROUBLE, context};
use crate::core::{Run, load};
use crate::intake::Command;
use crate::protocol::message::SinkReport;
use crate::state::{RuntimeFolder, StateFolder};

/// How often to look how far the sinks are.
const LOOK: Duration = Duration::from_millis(50);
/// How long intake may take for what a living pytest has written so far.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Deliver what runs have left: after an endpoint was down, or a core was killed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host drain
  host drain 2026-11-21T10-10-42-3f9a --sink publish --timeout '2 min'

Exits with 0 where nothing is left, with 1 where something is.")]
pub struct Args {
    /// The run [default: all that have something left]
    run: Option<String>,
    /// Deliver to this sink only
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// How long to try, for each run
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print what became of each run as JSON
    #[arg(long)]
    json: bool,
}

/// What became of a run.
#[derive(Debug, serde::Serialize)]
struct Drained {
    run: String,
    /// Why nothing was tried.
    skipped: Option<String>,
    sinks: Vec<SinkReport>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    let Some(state) = StateFolder::find(config.root()) else {
        return none(
            args,
            &format!("no run was ever kept for {}", config.root().display()),
        );
    };
    let mut ids = state.runs();
    if let Some(wanted) = &args.run {
        context::known_run(&ids, wanted)?;
        ids = vec![wanted.clone()];
    }
    let mut drained = Vec::new();
    for id in ids {
        if let Some(outcome) = drain(args, &state, &id) {
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
    let left = drained
        .iter()
        .any(|run| run.skipped.is_some() || run.sinks.iter().any(|sink| sink.left > 0));
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

fn show(outcome: &Drained) {
    println!("run {}", outcome.run);
    if let Some(why) = &outcome.skipped {
        println!("host: {why}");
    }
    print!("{}", summary::lines(&outcome.sinks));
}

/// Delivers one run; none where it has nothing left.
fn drain(args: &Args, state: &StateFolder, id: &str) -> Option<Drained> {
    let skipped = |why: String| {
        Some(Drained {
            run: id.to_owned(),
            skipped: Some(why),
            sinks: Vec::new(),
        })
    };
    let folder = match state.take_up(id) {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            return args
                .run
                .is_some()
                .then(|| skipped("a core is at work on it".into()))
                .flatten();
        }
        Err(error) => return skipped(format!("cannot be opened: {error}")),
    };
    let run = match Run::start(folder) {
        Ok(run) => run,
        Err(error) => return skipped(error.to_string()),
    };
    match run.is_finished() {
        Ok(true) => return None,
        Ok(false) => {}
        Err(error) => return skipped(error.to_string()),
    }
    let specs = match run.specs() {
        Ok(specs) => specs,
        Err(error) => return skipped(error.to_string()),
    };
    let specs = specs
        .into_iter()
        .filter(|spec| args.sink.as_ref().is_none_or(|name| *name == spec.name));
    let forbidden = [state.path().to_owned(), RuntimeFolder::base()];
    let sinks = match load(specs.collect(), &forbidden) {
        Ok(sinks) => sinks,
        Err(bad) => return skipped(bad.to_string()),
    };
    let alive = run.living_processes();
    if alive.is_empty() {
        run.tell(Command::Abandon);
    }
    if let Err(error) = run.deliver(&sinks) {
        return skipped(error.to_string());
    }
    wait(&run, args.timeout, alive.is_empty());
    run.stop();
    let why = (!alive.is_empty()).then(|| {
        let pids: Vec<String> = alive.iter().map(u32::to_string).collect();
        format!("its pytest (process {}) still runs; what it reports from now on goes out with the next drain", pids.join(", "))
    });
    Some(Drained {
        run: id.to_owned(),
        skipped: why,
        sinks: run.reports(),
    })
}

/// Waits until all is delivered or the time is up. `closes`: nobody writes to
/// the run any more, so that it will come to its end.
fn wait(run: &Run, timeout: Duration, closes: bool) {
    let started = Instant::now();
    let bar = Bar::new();
    while started.elapsed() < timeout {
        bar.show(&run.reports());
        let over = if closes {
            run.is_delivered()
        } else {
            started.elapsed() > CATCH_UP && run.has_caught_up()
        };
        if over {
            break;
        }
        std::thread::sleep(LOOK);
    }
    bar.end();
}
