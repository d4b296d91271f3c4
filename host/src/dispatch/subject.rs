//! What an event is about, in a few words.

use crate::guest::bindings::events::{Event, Phase};

/// The contract's name of an event, and the test that it is about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Subject {
    pub kind: &'static str,
    pub nodeid: Option<String>,
    pub attempt: Option<u32>,
    pub phase: Option<&'static str>,
}

impl Subject {
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let (kind, nodeid, attempt) = match event {
            Event::SessionStarted(_) => ("session-started", None, None),
            Event::Collected(_) => ("collected", None, None),
            Event::CollectFailed((nodeid, _)) => ("collect-failed", Some(nodeid), None),
            Event::CollectSkipped((nodeid, _)) => ("collect-skipped", Some(nodeid), None),
            Event::Deselected(_) => ("deselected", None, None),
            Event::CollectionFinished(_) => ("collection-finished", None, None),
            Event::TestStarted((nodeid, attempt)) => ("test-started", Some(nodeid), Some(*attempt)),
            Event::PhaseFinished(report) => {
                ("phase-finished", Some(&report.nodeid), Some(report.attempt))
            }
            Event::TestFinished(end) => ("test-finished", Some(&end.nodeid), Some(end.attempt)),
            Event::NotRun((nodeid, _)) => ("not-run", Some(nodeid), None),
            Event::Warning(warning) => ("warning", warning.nodeid.as_ref(), None),
            Event::PauseOpened(pause) => ("pause-opened", Some(&pause.nodeid), None),
            Event::PauseClosed(_) => ("pause-closed", None, None),
            Event::JobChanged(_) => ("job-changed", None, None),
            Event::OrchestrationReported(_) => ("orchestration-reported", None, None),
            Event::WorkerLost(_) => ("worker-lost", None, None),
            Event::Interrupted(_) => ("interrupted", None, None),
            Event::Gap(_) => ("gap", None, None),
            Event::SessionFinished(_) => ("session-finished", None, None),
            Event::Extension(_) => ("extension", None, None),
        };
        let phase = match event {
            Event::PhaseFinished(report) => Some(match report.phase {
                Phase::Setup => "setup",
                Phase::Call => "call",
                Phase::Teardown => "teardown",
            }),
            _ => None,
        };
        Self {
            kind,
            nodeid: nodeid.cloned(),
            attempt,
            phase,
        }
    }
}
