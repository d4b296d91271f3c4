//! `host runs show`

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::look::{Kept, NotRun, Slow, look};
use super::size;
use crate::clock;
use crate::config::Config;
use crate::text::printable;
use crate::watch::{Document, State, test, words};

/// Of tests that never ran for one reason, those that are named.
const NAMED: usize = 5;
const BAD: Style = AnsiColor::Red.on_default();

/// Show what became of a run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host runs show
  host runs show 2026-11-21T10-10-42-3f9a --slowest 50
  host runs show --json")]
pub struct Args {
    /// The run's name, or `last`
    #[arg(default_value = "last")]
    run: String,
    /// How many of the slowest tests to show
    #[arg(long, value_name = "N", default_value = "10")]
    slowest: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// As in `docs/command-line.md`, *host runs*.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    document: Document,
    python: &'a str,
    slowest: &'a [Slow],
    not_run_tests: &'a [NotRun],
    bytes: u64,
}

pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let (state, id) = super::find(config, &args.run)?;
    let kept = look(&state, &id, args.slowest);
    let now = clock::now();
    let text = if args.json {
        let shown = Shown {
            document: Document::of(&kept.watched, now),
            python: &kept.python,
            slowest: &kept.slowest,
            not_run_tests: &kept.not_run,
            bytes: kept.bytes,
        };
        serde_json::to_string_pretty(&shown)? + "\n"
    } else {
        text(&kept, now)
    };
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // Whoever read it has what they wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn text(kept: &Kept, now: f64) -> String {
    let mut text = format!("run {}\n", kept.watched.id);
    for (label, value) in head(kept, now) {
        let value = printable(&value);
        if !value.is_empty() {
            let _ = writeln!(text, "  {label:9} {value}");
        }
    }
    for (label, sink) in ["sinks"]
        .into_iter()
        .chain(std::iter::repeat(""))
        .zip(&kept.watched.sinks)
    {
        let _ = writeln!(text, "  {label:9} {}", words::sink(sink));
    }
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "{title}");
        }
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    };
    part("running", running(kept, now));
    part("slowest", kept.slowest.iter().map(slow).collect());
    part("failures", failures(kept));
    part("not run", not_run(kept));
    text
}

fn head(kept: &Kept, now: f64) -> [(&'static str, String); 7] {
    let watched = &kept.watched;
    let run = &watched.run;
    let started = run.started.map_or_else(String::new, |started| {
        clock::local(started, "%Y-%m-%d %H:%M:%S")
    });
    let state = match &watched.state {
        State::Finished if watched.is_delivering() => {
            format!("{}; delivering", words::finished(watched, now))
        }
        State::Finished => words::finished(watched, now),
        State::Unreadable(_) => words::state(watched),
        State::Running | State::Lost => format!(
            "{}: {} of {} done: {}",
            words::state(watched),
            run.done(),
            run.expected(),
            words::counts(run)
        ),
    };
    let versions = if run.pytest.is_empty() {
        String::new()
    } else {
        format!("{}, Python {}", run.pytest, kept.python)
    };
    let workers: Vec<&str> = run.workers.iter().map(String::as_str).collect();
    let dist = run.dist.as_deref().filter(|_| !workers.is_empty());
    let dist = dist.map_or_else(String::new, |dist| format!(" (--dist {dist})"));
    [
        ("started", started),
        ("state", state),
        ("pytest", versions),
        ("arguments", shell_words::join(&run.args)),
        ("rootdir", run.rootdir.clone()),
        ("workers", format!("{}{dist}", workers.join(", "))),
        ("on disk", size(kept.bytes)),
    ]
}

fn running(kept: &Kept, now: f64) -> Vec<String> {
    let running = kept.watched.run.oldest_first();
    let line = |((worker, nodeid, attempt), since): (&(Option<String>, String, u32), f64)| {
        let name = test(nodeid, *attempt, worker.as_deref());
        // Of a run that was lost nobody knows for how long.
        if kept.watched.state == State::Running {
            format!("{:>10}  {name}", words::took((now - since).max(0.0)))
        } else {
            name
        }
    };
    running.into_iter().map(line).collect()
}

fn slow(slow: &Slow) -> String {
    let name = test(&slow.nodeid, slow.attempt, slow.worker.as_deref());
    let verdict = match slow.verdict {
        "passed" => String::new(),
        verdict => format!(" ({verdict})"),
    };
    format!("{:>10.3} s  {name}{verdict}", slow.seconds)
}

fn failures(kept: &Kept) -> Vec<String> {
    let run = &kept.watched.run;
    let mut lines = Vec::new();
    if run.failures_left_out > 0 {
        lines.push(format!("{} failures before these", run.failures_left_out));
    }
    for failure in &run.failures {
        let why = failure.why();
        let why = if why.is_empty() {
            why
        } else {
            format!(" - {why}")
        };
        lines.push(format!(
            "{BAD}{}{BAD:#} {}{why}",
            failure.word(),
            failure.place()
        ));
    }
    lines
}

fn not_run(kept: &Kept) -> Vec<String> {
    let mut lines = Vec::new();
    for (reason, count) in &kept.reasons {
        lines.push(format!("{count}: {}", printable(reason)));
        let names = kept.not_run.iter().filter(|test| test.reason == *reason);
        let names: Vec<&NotRun> = names.take(NAMED).collect();
        lines.extend(
            names
                .iter()
                .map(|named| format!("    {}", printable(&named.nodeid))),
        );
        let more = count.saturating_sub(names.len() as u64);
        if more > 0 {
            lines.push(format!("    and {more} more"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::bindings::events::{Event, Phase, SessionEnd, TestEnd, Verdict};
    use crate::journal::{Draft, Intake, Journal as _, SqliteJournal};
    use crate::state::StateFolder;
    use crate::watch::testing;

    #[test]
    fn a_run_in_words() {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        let folder = state.new_run().unwrap();
        let journal = SqliteJournal::open(&folder.journal()).unwrap();
        let ended = |number: u32, duration: f64, verdict: Verdict| {
            Event::TestFinished(TestEnd {
                nodeid: format!("t.py::test_{number}"),
                attempt: 1,
                verdict,
                duration,
            })
        };
        let why = "stopping after 1 failures\u{1b}[31m";
        let mut events = vec![testing::session(Some("load"))];
        events.extend(testing::collected(12));
        events.extend([
            ended(1, 0.5, Verdict::Passed),
            ended(2, 12.25, Verdict::Skipped),
            ended(3, 0.25, Verdict::Passed),
            testing::failed("t.py::test_4", Phase::Call, "AssertionError", "no"),
            ended(4, 1.0, Verdict::Failed),
        ]);
        events.extend((5..12).map(|n| Event::NotRun((format!("t.py::test_{n}"), why.into()))));
        events.push(Event::SessionFinished(SessionEnd {
            exitstatus: Some(1),
            reason: None,
        }));
        let draft = |event| Draft {
            time: testing::START + 3.0,
            worker: None,
            event,
        };
        let intake = Intake {
            drafts: events.into_iter().map(draft).collect(),
            closed: true,
            ..Intake::default()
        };
        journal.append(&intake).unwrap();
        let id = folder.id.clone();
        drop((journal, folder));
        let mut kept = look(&state, &id, 2);
        kept.bytes = 1 << 20;
        kept.watched.id = "2026-11-21T10-10-42-3f9a".into();
        let shown = anstream::adapter::strip_str(&text(&kept, 0.0)).to_string();
        let shown: Vec<&str> = shown
            .lines()
            .filter(|line| !line.contains("started"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        run 2026-11-21T10-10-42-3f9a
          state     finished in 3.0 s: 2 passed, 1 failed, 1 skipped, 7 not run (exit status 1)
          pytest    9.2.0, Python 3.13.0
          arguments -n2 tests
          rootdir   /srv/project
          on disk   1.0 MiB
        slowest
              12.250 s  t.py::test_2 (skipped)
               1.000 s  t.py::test_4 (failed)
        failures
          FAILED t.py::test_4 - AssertionError: no
        not run
          7: stopping after 1 failures
              t.py::test_5
              t.py::test_6
              t.py::test_7
              t.py::test_8
              t.py::test_9
              and 2 more
        ");
    }
}
