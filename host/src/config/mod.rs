//! Configuration: from flags, environment and `host.toml` to the sinks of a run.
//!
//! Every layer is a list of assignments, each with its origin, so that all of
//! them are checked by the same code and every complaint can say where to look.
//! Later assignments win: file, then environment, then flags.

mod assignment;
mod edit;
mod environment;
mod file;
mod keep;
mod pause;
mod redact;
mod reference;
mod restore;
mod select;
mod serve;
mod setting;
mod suggest;
mod table;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub use assignment::{Assignment, Origin};
pub use edit::{Comment, NewSink};
pub use file::FILE_NAME;
pub use keep::Keep;
pub use pause::Pause;
pub use redact::Redact;
use reference::Variables;
pub use select::{Defaults, ModuleSource, Request, SinkSpec};
pub use serve::{JobRules, Serve};
pub use setting::Setting;
pub use suggest::nearest;
pub use table::{OnFailure, SinkTable};

use crate::text::visible;

/// What the user gave cannot be used: one line that says what, where, and what
/// would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", visible(.0))]
pub struct BadInput(pub String);

impl BadInput {
    /// `problem`, found at `origin`.
    pub fn at(origin: &Origin, problem: impl std::fmt::Display) -> Self {
        Self(format!("{origin}: {problem}"))
    }
}

/// The keys of a configuration's top.
const KEYS: [&str; 12] = [
    "sinks",
    "sink",
    "limit.text",
    "limit.journal",
    "keep.runs",
    "keep.age",
    "keep.size",
    "pause.files",
    "pause.policy",
    "redact",
    "redact-builtin",
    "serve",
];

/// The configuration that is in force in a folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The working directory of whoever asked; flags are relative to it.
    pub directory: PathBuf,
    /// The file that was found, `host.toml` or `pyproject.toml`.
    pub file: Option<PathBuf>,
    /// The sinks to use where nobody names any.
    pub sinks: Vec<String>,
    sinks_origin: Option<Origin>,
    /// Bytes of a captured text, or any other, that are kept.
    pub text: u64,
    /// Bytes that a run's journal may come to.
    pub journal: u64,
    /// How much of old runs stays.
    pub keep: Keep,
    pub pause: Pause,
    /// What `host serve` does.
    pub serve: Serve,
    /// What is taken out of texts.
    pub redact: Redact,
    variables: Variables,
    tables: BTreeMap<String, SinkTable>,
}

/// `limit.text` where nobody sets it.
const TEXT: u64 = 256 << 10;
/// `limit.journal` where nobody sets it.
const JOURNAL: u64 = 4 << 30;
/// What it may be set to at the least.
const SMALLEST_JOURNAL: u64 = 1 << 20;
/// What it may be set to: every event has to fit into a sink's memory, several times.
const TEXT_RANGE: RangeInclusive<u64> = (1 << 10)..=(8 << 20);

impl Config {
    /// Reads the configuration that is in force in `directory`, with the
    /// `PYTEST_HOST_*` variables of `environment` on top.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or has a key or value that it should not have.
    pub fn load(
        directory: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BadInput> {
        Self::read(directory, file::find(directory)?, environment)
    }

    /// Reads the same file once more, with the variables of `environment` on top.
    /// Another one that has come to be nearer is not looked for.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and where the file is gone.
    pub fn again(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BadInput> {
        Self::read(&self.directory, self.file.clone(), environment)
    }

    fn read(
        directory: &Path,
        file: Option<PathBuf>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BadInput> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let mut config = Self {
            directory: directory.to_owned(),
            file: None,
            sinks: Vec::new(),
            sinks_origin: None,
            text: TEXT,
            journal: JOURNAL,
            keep: Keep::default(),
            pause: Pause::default(),
            serve: Serve::default(),
            redact: Redact::default(),
            variables: Variables::new(environment.iter().cloned()),
            tables: BTreeMap::new(),
        };
        if let Some(found) = file {
            let assignments = file::read(&found, directory)?;
            config.file = Some(found);
            config.apply(assignments)?;
        }
        config.apply(environment::assignments(environment)?)?;
        Ok(config)
    }

    /// Puts `--set sink.key=value` texts on top, `flag` being what they were given with.
    ///
    /// # Errors
    ///
    /// A text without `=`, or without a sink's name in front.
    pub fn set(&mut self, texts: &[String], flag: &'static str) -> Result<(), BadInput> {
        for text in texts {
            self.apply(vec![Assignment::from_flag(text, flag)?])?;
        }
        Ok(())
    }

    /// Puts one table a sink on top, as the adapter's options give them.
    ///
    /// # Errors
    ///
    /// A reserved key with a value of the wrong kind.
    pub fn settings(
        &mut self,
        tables: &BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    ) -> Result<(), BadInput> {
        for (sink, table) in tables {
            let assignments = table
                .iter()
                .map(|(key, value)| Assignment {
                    path: vec!["sink".into(), sink.clone(), key.clone()],
                    value: value.clone(),
                    origin: Origin::Option(format!("{sink}.{key}")),
                })
                .collect();
            self.apply(assignments)?;
        }
        Ok(())
    }

    /// Puts in what nobody has set, as the adapter finds it in a conftest.
    fn fill(&mut self, defaults: &[Defaults]) -> Result<(), BadInput> {
        for Defaults {
            sink,
            origin,
            settings,
        } in defaults
        {
            let set = self.tables.get(sink).map(|table| &table.settings);
            let assignments = settings
                .iter()
                .filter(|(key, _)| !set.is_some_and(|set| set.contains_key(*key)))
                .map(|(key, value)| Assignment {
                    path: vec!["sink".into(), sink.clone(), key.clone()],
                    value: value.clone(),
                    origin: Origin::Option(origin.clone()),
                })
                .collect();
            self.apply(assignments)?;
        }
        Ok(())
    }

    /// The folder that the state folder belongs in, and that paths written in
    /// the file are relative to: the file's own, or the working directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(&self.directory)
    }

    fn variables(&self) -> &Variables {
        &self.variables
    }

    fn apply(&mut self, assignments: Vec<Assignment>) -> Result<(), BadInput> {
        for assignment in assignments {
            let path: Vec<&str> = assignment.path.iter().map(String::as_str).collect();
            match path.as_slice() {
                ["sinks"] => {
                    self.sinks = sink_names(&assignment)?;
                    self.sinks_origin = Some(assignment.origin);
                }
                ["limit", "text"] => self.text = text_limit(&assignment)?,
                ["limit", "journal"] => self.journal = journal_limit(&assignment)?,
                ["redact"] => self.redact.set_patterns(&assignment)?,
                ["redact-builtin"] => self.redact.set_builtin(&assignment)?,
                ["keep", key] => self.keep.assign(key, &assignment)?,
                ["pause", key @ ..] => self.pause.assign(key, &assignment)?,
                ["serve", key @ ..] => {
                    self.serve.assign(key, &assignment, &self.directory)?;
                }
                ["sink", name] if assignment.value.is_object() => {
                    self.tables.entry((*name).to_owned()).or_default();
                }
                ["sink", name, key @ ..] if !key.is_empty() => {
                    let table = self.tables.entry((*name).to_owned()).or_default();
                    table.assign(name, key, assignment.value, assignment.origin)?;
                }
                ["sink"] | ["sink", _] => {
                    return Err(BadInput::at(
                        &assignment.origin,
                        format!("{} should be a table", assignment.path.join(".")),
                    ));
                }
                _ => {
                    let key = assignment.path.join(".");
                    let hint = nearest(&key, KEYS)
                        .unwrap_or_else(|| format!("; the keys here are {}", KEYS.join(", ")));
                    return Err(BadInput::at(
                        &assignment.origin,
                        format!("unknown key {key:?}{hint}"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn journal_limit(assignment: &Assignment) -> Result<u64, BadInput> {
    table::bytes(&assignment.value)
        .ok()
        .filter(|bytes| *bytes >= SMALLEST_JOURNAL)
        .ok_or_else(|| {
            BadInput::at(
                &assignment.origin,
                "limit.journal should be a size from \"1 MiB\" on, such as \"4 GiB\"",
            )
        })
}

fn text_limit(assignment: &Assignment) -> Result<u64, BadInput> {
    table::bytes(&assignment.value)
        .ok()
        .filter(|bytes| TEXT_RANGE.contains(bytes))
        .ok_or_else(|| {
            BadInput::at(
                &assignment.origin,
                "limit.text should be a size from \"1 KiB\" to \"8 MiB\", such as \"256 KiB\"",
            )
        })
}

/// A list of names, or one text with commas between.
fn sink_names(assignment: &Assignment) -> Result<Vec<String>, BadInput> {
    let wrong = || {
        BadInput::at(
            &assignment.origin,
            "sinks should be a list of names, such as [\"publish\", \"pubdir\"]",
        )
    };
    match &assignment.value {
        serde_json::Value::String(text) => Ok(split_names(text)),
        serde_json::Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

/// The names in `a,b, c`.
#[must_use]
pub fn split_names(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod secret_tests;
#[cfg(test)]
mod tests;
