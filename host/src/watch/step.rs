//! What happened to a run, one thing after another, for whoever keeps its document up
//! to date: `docs/live.md`, *A run*.

use serde::Serialize;
use utoipa::ToSchema;

use super::counts::word;
use super::document::{FailureDocument, TestDocument};
use super::model::{Key, Note, Run};
use crate::guest::bindings::events::{Envelope, Event};

/// One thing that happened. Between two of them the run's [`Document`](super::Document)
/// changes in nothing else but what `Changes` tells.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Step {
    TestStarted(TestDocument),
    TestFinished {
        nodeid: String,
        attempt: u32,
        worker: Option<String>,
        verdict: &'static str,
        duration: f64,
    },
    /// It does not run any more; what became of it is among events that were lost.
    TestGone {
        nodeid: String,
        attempt: u32,
        worker: Option<String>,
    },
    Failed(FailureDocument),
}

impl Step {
    /// Takes `envelope` into `run`, and tells what steps that was.
    pub(crate) fn take(run: &mut Run, envelope: Envelope, steps: &mut Vec<Self>) -> Option<Note> {
        match &envelope.event {
            Event::TestStarted((nodeid, attempt)) => {
                let key = (envelope.worker.clone(), nodeid.clone(), *attempt);
                steps.push(Self::TestStarted(TestDocument::since(&key, envelope.time)));
            }
            Event::TestFinished(end) => steps.push(Self::TestFinished {
                nodeid: end.nodeid.clone(),
                attempt: end.attempt,
                worker: envelope.worker.clone(),
                verdict: word(end.verdict),
                duration: end.duration,
            }),
            _ => {}
        }
        let note = run.take(envelope);
        if let Some(Note::Failed(failure)) = &note {
            steps.push(Self::Failed(FailureDocument::of(failure)));
        }
        note
    }

    #[must_use]
    pub fn gone((worker, nodeid, attempt): Key) -> Self {
        Self::TestGone {
            nodeid,
            attempt,
            worker,
        }
    }
}
