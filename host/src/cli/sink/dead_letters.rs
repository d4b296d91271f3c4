//! `host sink dead-letters`: the events that were set aside, and their way back.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::drain::{self, Drained};
use crate::cli::{TROUBLE, context};
use crate::clock;
use crate::config::Config;
use crate::dispatch::{self, Subject};
use crate::guest::bindings::events::Envelope;
use crate::journal::{DeadLetter, JournalError, JournalReader, SqliteJournal};
use crate::state::StateFolder;
use crate::text::printable;

/// List the events that were set aside, or deliver them again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink dead-letters
  host sink dead-letters 2026-11-21T10-10-42-3f9a --sink publish --redeliver

With --redeliver exits with 0 where every event was taken, with 1 where one was set aside
again or is left.")]
pub struct Args {
    /// The run's name, or `last` [default: all that have some]
    run: Option<String>,
    /// Those of this sink only
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Deliver them again
    #[arg(long)]
    redeliver: bool,
    /// A secret setting, over what host.toml has; those are not kept with a run
    #[arg(long = "set", value_name = "SINK.KEY=VALUE", requires = "redeliver")]
    set: Vec<String>,
    /// How long to try, for each run
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = humantime::parse_duration, requires = "redeliver")]
    timeout: Duration,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// An event that was set aside.
#[derive(Debug, serde::Serialize)]
struct Listed {
    run: String,
    sink: String,
    seq: u64,
    /// When it was set aside, in seconds since the epoch.
    time: f64,
    why: String,
    worker: Option<String>,
    #[serde(flatten)]
    subject: Subject,
}

impl Listed {
    fn new(run: &str, sink: &str, letter: DeadLetter, event: &Envelope) -> Self {
        Self {
            run: run.to_owned(),
            sink: sink.to_owned(),
            seq: letter.seq,
            time: letter.time,
            why: letter.why,
            worker: event.worker.clone(),
            subject: Subject::of(&event.event),
        }
    }

    /// For people, in one line.
    fn line(&self) -> String {
        let mut what = self.subject.kind.to_owned();
        if let Some(phase) = self.subject.phase {
            what = format!("{what} ({phase})");
        }
        if let Some(nodeid) = &self.subject.nodeid {
            what = format!("{what} {}", printable(nodeid));
        }
        if let Some(attempt) = self.subject.attempt.filter(|attempt| *attempt > 1) {
            what = format!("{what} (attempt {attempt})");
        }
        if let Some(worker) = &self.worker {
            what = format!("{what} [{worker}]");
        }
        let time = clock::local(self.time, "%Y-%m-%d %H:%M:%S");
        let why = printable(&self.why);
        format!("  {} {time} #{} {what}: {why}", self.sink, self.seq)
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let mut config = context::config(&context::directory()?)?;
    config.set(&args.set, "--set")?;
    let found = StateFolder::find(config.root());
    let mut ids = found.as_ref().map(StateFolder::runs).unwrap_or_default();
    if let Some(wanted) = &args.run {
        ids = vec![context::run_named(&ids, wanted)?];
    }
    if let (Some(state), Some(wanted)) = (&found, &args.sink) {
        drain::known_sink(state, &ids, wanted)?;
    }
    ids.reverse();
    let looks: Vec<Look> = found
        .iter()
        .flat_map(|state| {
            ids.iter()
                .map(|id| Look::at(state, id, args.sink.as_deref()))
        })
        .collect();
    for look in &looks {
        if let Some(problem) = &look.problem {
            eprintln!("host: run {} cannot be read: {problem}", look.run);
        }
    }
    let readable = looks.iter().all(|look| look.problem.is_none());
    let done = match found {
        Some(state) if args.redeliver => redeliver(args, &state, &config, &looks)?,
        _ => list(args, looks)?,
    };
    Ok(if done && readable {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TROUBLE)
    })
}

/// What a run has set aside.
struct Look {
    run: String,
    letters: Vec<Listed>,
    problem: Option<JournalError>,
}

impl Look {
    fn at(state: &StateFolder, run: &str, sink: Option<&str>) -> Self {
        let mut look = Self {
            run: run.to_owned(),
            letters: Vec::new(),
            problem: None,
        };
        look.problem = look.read(state, sink).err();
        look
    }

    fn read(&mut self, state: &StateFolder, wanted: Option<&str>) -> Result<(), JournalError> {
        let Some(reader) = JournalReader::open(&state.journal_of(&self.run))? else {
            return Ok(());
        };
        reader.dead_letters(|sink, letter, event| {
            if wanted.is_none_or(|wanted| wanted == sink) {
                let listed = Listed::new(&self.run, sink, letter, &event);
                self.letters.push(listed);
            }
        })
    }

    /// The sinks that letters wait for, each once.
    fn concerned(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.letters.iter().map(|l| l.sink.as_str()).collect();
        names.dedup();
        names
    }
}

fn list(args: &Args, looks: Vec<Look>) -> anyhow::Result<bool> {
    if args.json {
        let all: Vec<Listed> = looks.into_iter().flat_map(|look| look.letters).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(true);
    }
    for look in looks.iter().filter(|look| !look.letters.is_empty()) {
        println!("run {}", look.run);
        for letter in &look.letters {
            println!("{}", letter.line());
        }
    }
    if looks.iter().all(|look| look.letters.is_empty()) {
        println!("nothing was set aside");
    }
    Ok(true)
}

/// Whether all of it was taken.
fn redeliver(
    args: &Args,
    state: &StateFolder,
    config: &Config,
    looks: &[Look],
) -> anyhow::Result<bool> {
    let mut outcomes = Vec::new();
    for look in looks.iter().filter(|look| !look.letters.is_empty()) {
        let outcome = redeliver_run(args, state, config, look);
        if !args.json {
            drain::show(&outcome);
        }
        outcomes.push(outcome);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcomes)?);
    } else if outcomes.is_empty() {
        println!("nothing was set aside");
    }
    Ok(outcomes
        .iter()
        .all(|outcome| !outcome.has_left() && outcome.sinks.iter().all(|sink| sink.set_aside == 0)))
}

fn redeliver_run(args: &Args, state: &StateFolder, config: &Config, look: &Look) -> Drained {
    let skipped = |why: String| Drained {
        run: look.run.clone(),
        skipped: Some(why),
        sinks: Vec::new(),
    };
    match state.take_up(&look.run) {
        Ok(Some(folder)) => {
            // Let go of before the drain takes it up: whoever is quicker delivers them.
            if let Err(error) = SqliteJournal::open(&folder.journal())
                .and_then(|journal| put_back(&journal, &look.concerned()))
            {
                return skipped(error.to_string());
            }
        }
        Ok(None) => return skipped("a core is at work on it".into()),
        Err(error) => return skipped(format!("cannot be opened: {error}")),
    }
    let args = drain::Args {
        run: Some(look.run.clone()),
        sink: args.sink.clone(),
        set: Vec::new(),
        timeout: args.timeout,
        json: args.json,
    };
    drain::drain(&args, state, config, &look.run)
        .unwrap_or_else(|| skipped("another host has delivered it meanwhile".into()))
}

fn put_back(journal: &SqliteJournal, sinks: &[&str]) -> Result<(), JournalError> {
    for sink in sinks {
        let count = dispatch::put_back(journal, sink)?;
        tracing::info!(sink, count, "put back");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::bindings::events::Event;

    #[test]
    fn a_line_has_nothing_that_a_terminal_acts_on() {
        let event = Envelope {
            seq: 7,
            time: 1.0,
            worker: Some("gw0".into()),
            event: Event::TestStarted(("t.py::test[\x1b[31m]".into(), 2)),
        };
        let letter = DeadLetter {
            seq: 7,
            why: "no\x07".into(),
            time: 0.0,
        };
        let line = Listed::new("r", "publish", letter, &event).line();
        assert!(line.starts_with("  publish "), "{line}");
        assert!(
            line.ends_with("#7 test-started t.py::test[] (attempt 2) [gw0]: no"),
            "{line}"
        );
    }
}
