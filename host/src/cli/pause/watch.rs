//! `host pause watch`

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::ls::Listed;
use super::{Where, refused};
use crate::cli::BAD_INPUT;
use crate::pause::{Found, RunState, Status, Ways};
use crate::text::{printable, printable_lines};

/// Wait for a test to pause, print the pause, and end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause watch
  host pause watch --run-id 3c2dbdcb1990447d9eb6b5082961a909 --timeout 30
  host pause watch --follow --json")]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// Only this run, by the id that pytest prints when it starts
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
    /// Pauses that are over, too
    #[arg(short, long)]
    all: bool,
    /// Go on with the next one
    #[arg(short, long)]
    follow: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "0.2")]
    interval: f64,
    /// Seconds to wait at the most
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Print an object for each pause
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (Some(interval), Ok(timeout)) = (
        seconds(args.interval),
        args.timeout.map(|s| seconds(s).ok_or(())).transpose(),
    ) else {
        eprintln!("host: --interval and --timeout should be seconds, such as 0.2");
        return Ok(ExitCode::from(BAD_INPUT));
    };
    let ways = args.place.ways()?;
    let started = Instant::now();
    let mut seen = BTreeSet::new();
    let mut known = false;
    loop {
        // Before the look: what a run that ends right now has left is seen.
        let state = state(args, &ways);
        let gone = state == Some(RunState::Over) || (known && state == Some(RunState::Unknown));
        if let (Some(id), false) = (&args.run_id, gone) {
            if state == Some(RunState::Unknown) {
                return Ok(refused(&[format!("run not found: {}", printable(id))]));
            }
            known = true;
        }
        if let (Some(id), true) = (&args.run_id, gone) {
            return Ok(refused(&[format!(
                "run is no longer active: {}",
                printable(id)
            )]));
        }
        let mut found = wanted(args, &ways);
        found.retain(|found| !seen.contains(&found.record.pause_id));
        if args.follow {
            for pause in &found {
                tell(args, pause)?;
                seen.insert(pause.record.pause_id.clone());
            }
        } else if let Some(newest) = found.last() {
            tell(args, newest)?;
            return Ok(ExitCode::SUCCESS);
        }
        if timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(interval);
    }
}

fn seconds(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value).ok()
}

/// Of the run that is watched: by its file, or by what its core has open.
fn state(args: &Args, ways: &Ways) -> Option<RunState> {
    let id = args.run_id.as_ref()?;
    let state = ways.tree.run_state(id);
    let is_open = || {
        ways.all()
            .iter()
            .any(|found| found.open.is_some() && found.record.run_id == *id)
    };
    if state == RunState::Unknown && is_open() {
        return Some(RunState::Active);
    }
    Some(state)
}

/// The oldest first.
fn wanted(args: &Args, ways: &Ways) -> Vec<Found> {
    let mut all = ways.all();
    all.retain(|found| {
        let of_run = args
            .run_id
            .as_ref()
            .is_none_or(|id| found.record.run_id == *id);
        of_run && (args.all || found.status == Status::Pending)
    });
    all.sort_by(|a, b| a.record.created_at.total_cmp(&b.record.created_at));
    all
}

fn tell(args: &Args, found: &Found) -> anyhow::Result<()> {
    if args.json {
        println!("{}", serde_json::to_string(&Listed::from(found))?);
        return Ok(());
    }
    let record = &found.record;
    println!("pause detected: {}", printable(&record.pause_id));
    println!(
        "kind: {}",
        printable(record.kind.as_deref().unwrap_or("unknown"))
    );
    println!("nodeid: {}", printable(&record.nodeid));
    println!("task: {}", printable(&record.task));
    if !record.original_failure.is_empty() {
        println!("failure:");
        for line in printable_lines(&record.original_failure) {
            println!("  {line}");
        }
    }
    Ok(())
}
