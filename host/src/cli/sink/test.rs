//! `host sink test`: recorded sessions, fed to a sink that is killed on the way.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use similar::TextDiff;

use super::subject::Choice;
use crate::cli::{TROUBLE, context};
use crate::config::BadInput;
use crate::state::StateFolder;
use crate::trial::recording::{Recording, shipped};
use crate::trial::{Subject, Tested, test};

/// What `--json` tells of a recording.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    tested: &'a Tested,
    passed: bool,
    effects: String,
}

impl<'a> Shown<'a> {
    fn new(tested: &'a Tested) -> Self {
        Self {
            passed: tested.passed(),
            effects: tested.effects.shown(),
            tested,
        }
    }
}

/// Feed recorded sessions to a sink, and see whether it keeps the contract
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink test report.wasm
  host sink test ./report.py --set url=http://127.0.0.1:1/x --recording outcomes
  host sink test report.wasm --run last
  host sink test report.wasm --snapshot report.snapshot

Nothing leaves this machine: requests are taken by the test itself, and folders to write to
are temporary ones. Exits with 0 where every check passed, with 1 where one did not, with 2
for bad input. With --list the recordings that come with the host are listed.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// One of the recordings that come with the host, or a file [default: all that come with it]
    #[arg(long, value_name = "NAME")]
    recording: Vec<String>,
    /// A run that is kept here: its name, or `last`
    #[arg(long, value_name = "RUN")]
    run: Vec<String>,
    /// How requests are answered
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(100..600))]
    answer: u16,
    /// What it wrote and sent has to be this; written where it is not there
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Write the snapshot anew
    #[arg(long, requires = "snapshot")]
    update: bool,
    /// List the recordings that come with the host
    #[arg(long)]
    list: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    if args.list {
        for (name, about) in shipped() {
            println!("{name:13} {about}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let recordings = recordings(args)?;
    let subject = Subject::load(args.choice.spec()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut all = Vec::new();
    for recording in &recordings {
        let tested = runtime.block_on(test(&subject, recording, args.answer))?;
        if !args.json {
            print!("{}", lines(&tested));
        }
        all.push(tested);
    }
    let snapshot = match &args.snapshot {
        Some(file) => Some(compare(file, &all, args.update)?),
        None => None,
    };
    if args.json {
        let shown: Vec<Shown> = all.iter().map(Shown::new).collect();
        println!("{}", serde_json::to_string_pretty(&shown)?);
    }
    if let Some(difference) = snapshot.flatten() {
        eprint!("{difference}");
        return Ok(ExitCode::from(TROUBLE));
    }
    let failed = all.iter().filter(|tested| !tested.passed()).count();
    if failed > 0 {
        eprintln!(
            "host: {failed} of {} failed",
            counted(all.len(), "recording")
        );
        return Ok(ExitCode::from(TROUBLE));
    }
    if !args.json {
        let recordings = counted(all.len(), "recording");
        println!("{recordings}, all checks passed");
    }
    Ok(ExitCode::SUCCESS)
}

fn recordings(args: &Args) -> anyhow::Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for name in &args.recording {
        recordings.push(Recording::named(name).map_err(|error| BadInput(error.to_string()))?);
    }
    if !args.run.is_empty() {
        let config = context::config(&context::directory()?)?;
        let state = StateFolder::find(config.root());
        let ids = state.as_ref().map_or_else(Vec::new, StateFolder::runs);
        for wanted in &args.run {
            let id = context::run_named(&ids, wanted)?;
            let state = state.as_ref().context("the state folder is gone")?;
            let recording = Recording::of_journal(&id, &state.journal_of(&id));
            recordings.push(recording.map_err(|error| BadInput(error.to_string()))?);
        }
    }
    if recordings.is_empty() {
        for (name, _) in shipped() {
            recordings.push(Recording::named(name)?);
        }
    }
    Ok(recordings)
}

/// What became of one recording, and, where something failed, of what.
fn lines(tested: &Tested) -> String {
    let mut text = String::new();
    let mark = if tested.passed() { "ok  " } else { "FAIL" };
    let _ = writeln!(
        text,
        "{mark} {:13} {} events in {} batches; wrote {}, sent {}; memory {}, state {}",
        tested.recording,
        tested.events,
        tested.batches,
        counted(tested.files, "file"),
        counted(tested.sent, "message"),
        bytesize::ByteSize(tested.memory).display().si(),
        bytesize::ByteSize(tested.state).display().si(),
    );
    for check in &tested.checks {
        match (&check.detail, check.passed) {
            (Some(detail), true) => {
                let _ = writeln!(text, "       {}: {detail}", check.name);
            }
            (detail, false) => {
                let detail = detail.as_deref().unwrap_or_default();
                let _ = writeln!(text, "  FAIL {}: {detail}", check.name);
            }
            (None, true) => {}
        }
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// The snapshot's difference, none where there is none or it was written now.
fn compare(file: &Path, all: &[Tested], update: bool) -> anyhow::Result<Option<String>> {
    let shown = file.display();
    let mut found = String::new();
    for tested in all {
        let _ = writeln!(found, "=== {}", tested.recording);
        found.push_str(&tested.effects.shown());
    }
    let expected = match std::fs::read_to_string(file) {
        Ok(expected) if !update => expected,
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(BadInput(format!("{shown}: cannot be read: {error}")).into());
        }
        _ => {
            std::fs::write(file, found)
                .map_err(|error| BadInput(format!("{shown}: cannot be written: {error}")))?;
            eprintln!("host: {shown} written");
            return Ok(None);
        }
    };
    if expected == found {
        return Ok(None);
    }
    let diff = TextDiff::from_lines(&expected, &found);
    let text = diff
        .unified_diff()
        .header(&shown.to_string(), "now")
        .to_string();
    Ok(Some(format!(
        "{text}host: it did something else than {shown} says; --update takes it over\n"
    )))
}
