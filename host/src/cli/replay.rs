//! `host replay`: a recorded run through any sinks, as if it took place now.

use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use super::delivery::{Interrupt, LAST_CALL, Wait};
use super::run::{Names, names};
use super::{TROUBLE, context, summary};
use crate::config::{BadInput, Request};
use crate::core::{Run, load, selected};
use crate::journal::{Head, Journal, SqliteJournal};
use crate::protocol::message::SinkReport;
use crate::replay::Recording;
use crate::state::{RuntimeFolder, StateFolder};

/// Play a recorded run into any sinks: another one, one that was changed, a folder
/// that was deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host replay last --sinks pubdir --set pubdir.dir=results
  host replay 2026-11-21T10-10-42-3f9a --sinks publish,./mine.wasm
  host replay last --sinks rt --set rt.url=http://127.0.0.1:8000/ --speed 10

The run stays as it is, and what its own sinks have left too. Exits with 0 where the
sinks have all of it, with 1 where something is left, with 2 for bad input. Ctrl-C ends
it; what is left then is not kept.")]
pub struct Args {
    /// The run's name, or `last`
    run: String,
    /// The sinks: built-in ones, those of host.toml, and paths of components and scripts
    #[arg(long, value_name = "A,B", value_parser = names)]
    sinks: Option<Names>,
    /// A sink's setting, over those of host.toml
    #[arg(long = "set", value_name = "SINK.KEY=VALUE")]
    set: Vec<String>,
    /// 1 to play it as it took place, 10 for ten times as fast [default: at once]
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    speed: Option<f64>,
    /// How long to go on delivering once all of it was played
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print what became of it as JSON
    #[arg(long)]
    json: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("should be a number above 0, such as 1, 10 or 0.5".to_owned()),
    }
}

/// What became of a replay.
#[derive(Debug, serde::Serialize)]
struct Replayed {
    run: String,
    /// All that the run will ever report was there to be played.
    finished: bool,
    /// Why not all of it was played.
    problem: Option<String>,
    sinks: Vec<SinkReport>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    let state = StateFolder::find(config.root());
    let ids = state.as_ref().map_or_else(Vec::new, StateFolder::runs);
    let id = context::run_named(&ids, &args.run)?;
    let state = state.context("the state folder is gone")?;
    let recording = Recording::open(&state.journal_of(&id))
        .map_err(|error| BadInput(format!("run {id}: {error}")))?
        .ok_or_else(|| BadInput(format!("run {id} holds no events")))?;
    let folder = tempfile::Builder::new()
        .prefix("pytest-host-replay-")
        .tempdir()
        .context("no folder for temporary files can be made")?;
    let request = Request {
        sinks: args.sinks.as_ref().map(|names| names.0.clone()),
        set: args.set.clone(),
        ..Request::default()
    };
    let forbidden = [
        state.path().to_owned(),
        RuntimeFolder::base(),
        folder.path().to_owned(),
    ];
    let sinks = load(selected(&config, &request)?, &forbidden)?;
    let interrupt = Interrupt::new()?;
    let journal = SqliteJournal::open(&folder.path().join("journal.db"))?;
    let recorded = recording.head();
    let (run, failures) = play(recording, Arc::new(journal), args.speed)?;
    run.deliver(&sinks)?;

    let finished = recorded.closed;
    Wait {
        reports: &|| reports(&run, recorded),
        is_filled: &|| run.is_closed(),
        is_over: &|| {
            if run.head().closed {
                run.is_delivered()
            } else {
                run.is_closed() && run.has_caught_up()
            }
        },
    }
    .run(args.timeout, &interrupt);
    run.stop();
    let replayed = Replayed {
        run: id,
        finished,
        problem: failures.try_recv().ok(),
        sinks: reports(&run, recorded),
    };
    run.leave(LAST_CALL);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&replayed)?);
    } else {
        show(&replayed);
    }
    let left = replayed.sinks.iter().any(|sink| sink.left > 0);
    Ok(if left || replayed.problem.is_some() {
        ExitCode::from(TROUBLE)
    } else {
        ExitCode::SUCCESS
    })
}

/// A run that `recording` is played into, and where to hear of a failure of that.
fn play(
    recording: Recording,
    journal: Arc<dyn Journal>,
    speed: Option<f64>,
) -> anyhow::Result<(Run, mpsc::Receiver<String>)> {
    let (sender, head) = watch::channel(Head::default());
    let (failed, failures) = mpsc::channel();
    let into = Arc::clone(&journal);
    let run = Run::filled(journal, head, move |commands| {
        if let Err(error) = recording.play(&into, &sender, speed, commands) {
            // Nobody hears it where the replay is over already.
            let _ = failed.send(error.to_string());
        }
    });
    Ok((run.context("no thread can be started")?, failures))
}

/// Where each sink stands; what was not played yet is left, too.
fn reports(run: &Run, recorded: Head) -> Vec<SinkReport> {
    let mut reports = run.reports();
    let unplayed = recorded.last.saturating_sub(run.head().last);
    for report in &mut reports {
        report.left += unplayed;
    }
    reports
}

fn show(replayed: &Replayed) {
    println!("run {}", replayed.run);
    if !replayed.finished {
        println!(
            "host: it is not finished; this is as far as it is recorded (`host watch {} --once` tells more)",
            replayed.run
        );
    }
    if let Some(problem) = &replayed.problem {
        println!("host: it cannot be played to its end: {problem}");
    }
    print!("{}", summary::lines(&replayed.sinks));
    if replayed.sinks.iter().any(|sink| sink.left > 0) {
        println!("host: what is left is not kept; the run is, and can be replayed again");
    }
}
