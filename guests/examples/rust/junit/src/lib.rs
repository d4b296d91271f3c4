//! The sink `junit`: one file of JUnit XML when the run is over, as pytest's `--junitxml` has it.
//!
//! Each test case is kept in `state` as soon as its test ended, under a key of its own, so that a batch costs
//! what is in it, however long the run is.

mod case;
mod property;
mod report;
mod text;
mod xml;

use std::{collections::BTreeMap, path::PathBuf};

use pytest_host_sdk::{
    Envelope, Event, Misconfiguration, Need, Opening, Refusal, Session, Sink, Undone,
    events::Verdict, log, misconfigured, state,
};
use serde::{Deserialize, Serialize};

use case::Case;
use report::Duration;

pytest_host_sdk::export!(Junit);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The folder that the file is written to.
    #[serde(default = "here")]
    dir: PathBuf,
    /// The file's name.
    #[serde(default = "file")]
    file: String,
    /// The name of the test suite.
    #[serde(default = "suite")]
    suite: String,
    /// What a test's time is.
    #[serde(default)]
    duration: Duration,
}

fn here() -> PathBuf {
    "junit".into()
}

fn file() -> String {
    "junit.xml".into()
}

fn suite() -> String {
    "pytest".into()
}

/// What is kept from batch to batch, beside the cases.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    /// How many cases are kept under keys of their own.
    cases: u32,
    /// Tests that run now, by worker and node id.
    open: BTreeMap<String, Case>,
}

struct Junit {
    path: PathBuf,
    suite: String,
    duration: Duration,
    session: Session,
}

impl Sink for Junit {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        if settings.file.is_empty() || settings.file.contains('/') {
            return Err(misconfigured(
                "file",
                "expected a file's name; its folder is dir",
            ));
        }
        Ok(vec![Need::Write(
            settings.dir.to_string_lossy().into_owned(),
        )])
    }

    fn open(settings: &Settings, session: Session, _why: Opening) -> Result<Self, String> {
        Ok(Self {
            path: settings.dir.join(&settings.file),
            suite: settings.suite.clone(),
            duration: settings.duration,
            session,
        })
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let mut kept: Kept = state::load("kept").ok().flatten().unwrap_or_default();
        let mut undone = vec![];
        for envelope in batch {
            if let Event::SessionFinished(_) = envelope.event {
                if let Err(problem) = self.write(&kept, envelope.time) {
                    let why = Refusal::Retry((1.0, problem));
                    undone.push(Undone {
                        seq: envelope.seq,
                        why,
                    });
                }
            } else {
                for case in self.take(&mut kept.open, envelope) {
                    if let Err(error) = state::store(&key(kept.cases), &case) {
                        log::error!("a test case cannot be kept: {error}");
                    }
                    kept.cases += 1;
                }
            }
        }
        if let Err(error) = state::store("kept", &kept) {
            log::error!("test cases cannot be kept: {error}");
        }
        undone
    }
}

fn key(number: u32) -> String {
    format!("case/{number}")
}

impl Junit {
    /// The cases that an event completes.
    fn take(&self, open: &mut BTreeMap<String, Case>, envelope: Envelope) -> Vec<Case> {
        let worker = envelope.worker.unwrap_or_default();
        match envelope.event {
            Event::PhaseFinished(report) => {
                let case = open
                    .entry(format!("{worker} {}", report.nodeid))
                    .or_insert_with(|| Case::new(&report.nodeid));
                let before = case.take(&report, self.duration, &self.session);
                before.into_iter().collect()
            }
            Event::TestFinished(end) => {
                let case = open.remove(&format!("{worker} {}", end.nodeid));
                let is_again = end.verdict == Verdict::Rerun;
                // An attempt that was run again is a case with nothing in it.
                let case = case.map(|case| {
                    if is_again {
                        case.without_outcome()
                    } else {
                        case
                    }
                });
                case.into_iter().collect()
            }
            Event::CollectFailed((nodeid, failure)) => {
                vec![Case::of_collection(
                    &nodeid,
                    "error",
                    "collection failure",
                    &failure.longrepr,
                )]
            }
            Event::CollectSkipped((nodeid, reason)) => {
                vec![Case::of_collection(
                    &nodeid,
                    "skipped",
                    "collection skipped",
                    &reason,
                )]
            }
            _ => vec![],
        }
    }

    fn write(&self, kept: &Kept, ended: f64) -> Result<(), String> {
        let mut cases = Vec::new();
        for number in 0..kept.cases {
            let case = state::load::<Case>(&key(number)).map_err(|error| error.to_string())?;
            cases.extend(case);
        }
        // Of a test that never ended, e.g. since pytest was interrupted.
        cases.extend(kept.open.values().cloned());
        let about = xml::Suite {
            name: &self.suite,
            session: &self.session,
            seconds: ended - self.session.started,
        };
        let text = xml::document(&about, &cases).map_err(|error| error.to_string())?;
        std::fs::write(&self.path, text)
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests;
