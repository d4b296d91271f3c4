//! `host sink record`: a run as a file to test sinks with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::context;
use crate::config::BadInput;
use crate::guest::bindings::events::Event;
use crate::state::StateFolder;
use crate::trial::Recording;

/// Keep a run as a recording, to test sinks with: `host sink test FILE --recording RECORDING`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  host sink record last tests/slow.jsonl.gz

The root folder, Python's folders, the machine's name and process ids are replaced, so that
a recording can be kept with a sink. What tests printed is in it as it is.")]
pub struct Args {
    /// The run's name, or `last`
    run: String,
    /// Where to write it; the name should end with .jsonl.gz
    file: PathBuf,
}

/// In place of the machine's name.
const HOST: &str = "host";
/// Names shorter than this may be part of other words.
const SHORTEST_NAME: usize = 4;

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let config = context::config(&context::directory()?)?;
    let state = StateFolder::find(config.root());
    let ids = state.as_ref().map_or_else(Vec::new, StateFolder::runs);
    let id = context::run_named(&ids, &args.run)?;
    let state = state.context("the state folder is gone")?;
    let mut recording = Recording::of_journal(&id, &state.journal_of(&id))
        .map_err(|error| BadInput(error.to_string()))?;
    let session = recording.session.clone();
    if let Some(Event::SessionStarted(session)) =
        recording.events.first_mut().map(|first| &mut first.event)
    {
        session.pid = 1;
        session.hostname = HOST.to_owned();
    }
    let (prefix, base) = &session.python_prefixes;
    let masks = [
        (session.rootdir.as_str(), "/suite"),
        (prefix.as_str(), "/venv"),
        (base.as_str(), "/python"),
        (session.hostname.as_str(), HOST),
    ];
    let masks = masks.map(|(text, mask)| (json(text), mask));
    let change = |line: String| {
        masks.iter().fold(line, |line, (text, mask)| {
            if text.len() < SHORTEST_NAME {
                line
            } else {
                line.replace(text, mask)
            }
        })
    };
    let shown = args.file.display();
    let file =
        std::fs::File::create(&args.file).map_err(|error| BadInput(format!("{shown}: {error}")))?;
    recording
        .write(file, change)
        .with_context(|| format!("{shown} cannot be written"))?;
    println!("{shown}: {} events of run {id}", recording.events.len());
    Ok(ExitCode::SUCCESS)
}

/// As it stands within a text of JSON.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.trim_matches('"').to_owned()
}
