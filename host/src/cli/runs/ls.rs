//! `host runs ls`

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::look::{Kept, look};
use super::size;
use crate::clock;
use crate::config::Config;
use crate::journal::SinkProgress;
use crate::state::StateFolder;
use crate::text::printable;
use crate::watch::{Counts, State, words};

/// List the runs that are kept, the newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host runs ls
  host runs ls --limit 100 --json")]
pub struct Args {
    /// How many to list
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// As in `docs/command-line.md`, *host runs*.
#[derive(Debug, Serialize)]
struct Listed {
    run: String,
    state: &'static str,
    problem: Option<String>,
    delivering: bool,
    started: Option<f64>,
    duration: Option<f64>,
    exitstatus: Option<i32>,
    counts: Counts,
    subtests_failed: u64,
    collect_failures: u64,
    not_run: u64,
    events_lost: u64,
    sinks: Vec<SinkProgress>,
    bytes: u64,
}

pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let state = StateFolder::find(config.root());
    let kept: Vec<Kept> = state.as_ref().map_or_else(Vec::new, |state| {
        let newest = state.runs().into_iter().rev().take(args.limit);
        newest.map(|id| look(state, &id, 0)).collect()
    });
    let now = clock::now();
    if args.json {
        let listed: Vec<Listed> = kept.iter().map(|kept| Listed::of(kept, now)).collect();
        println!("{}", serde_json::to_string_pretty(&listed)?);
    } else if kept.is_empty() {
        println!("no run is kept for {}", config.root().display());
    } else {
        print!("{}", table(&kept, now));
    }
    Ok(ExitCode::SUCCESS)
}

impl Listed {
    fn of(kept: &Kept, now: f64) -> Self {
        let watched = &kept.watched;
        let run = &watched.run;
        Self {
            run: watched.id.clone(),
            state: watched.state.word(),
            problem: match &watched.state {
                State::Unreadable(reason) => Some(reason.clone()),
                _ => None,
            },
            delivering: watched.is_delivering(),
            started: run.started,
            duration: duration(kept, now),
            exitstatus: run.end.as_ref().and_then(|end| end.exitstatus),
            counts: run.counts,
            subtests_failed: run.subtests_failed,
            collect_failures: run.collect_failures,
            not_run: run.not_run,
            events_lost: run.gaps,
            sinks: watched.sinks.clone(),
            bytes: kept.bytes,
        }
    }
}

/// Nobody knows how long a run took whose end is not known.
fn duration(kept: &Kept, now: f64) -> Option<f64> {
    let run = &kept.watched.run;
    let known = run.end.is_some() || kept.watched.state == State::Running;
    run.duration(now).filter(|_| known)
}

const HEAD: [&str; 8] = [
    "RUN", "STARTED", "TOOK", "STATE", "EXIT", "SIZE", "SINKS", "OUTCOME",
];

fn table(kept: &[Kept], now: f64) -> String {
    let rows: Vec<[String; 8]> = kept.iter().map(|kept| row(kept, now)).collect();
    let head = HEAD.map(str::to_owned);
    let mut widths = [0; 8];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(kept: &Kept, now: f64) -> [String; 8] {
    let watched = &kept.watched;
    let run = &watched.run;
    let started = run.started.map_or_else(String::new, |started| {
        clock::local(started, "%Y-%m-%d %H:%M:%S")
    });
    let took = duration(kept, now).map_or_else(String::new, words::took);
    let state = if watched.is_delivering() {
        "delivering"
    } else {
        watched.state.word()
    };
    let exit = run.end.as_ref().and_then(|end| end.exitstatus);
    let outcome = match &watched.state {
        State::Unreadable(reason) => printable(reason),
        _ => words::counts(run),
    };
    [
        watched.id.clone(),
        started,
        took,
        state.to_owned(),
        exit.map_or_else(String::new, |exit| exit.to_string()),
        size(kept.bytes),
        sinks(&watched.sinks),
        outcome,
    ]
}

/// `publish 560, 92 left; pubdir 652`
fn sinks(sinks: &[SinkProgress]) -> String {
    let each = sinks.iter().map(|sink| {
        let mut troubles = Vec::new();
        if sink.left > 0 {
            troubles.push(format!("{} left", sink.left));
        }
        if sink.set_aside > 0 {
            troubles.push(format!("{} set aside", sink.set_aside));
        }
        let troubles = if troubles.is_empty() {
            format!("{}", sink.delivered)
        } else {
            format!("{}, {}", sink.delivered, troubles.join(", "))
        };
        format!("{} {troubles}", printable(&sink.name))
    });
    each.collect::<Vec<_>>().join("; ")
}
