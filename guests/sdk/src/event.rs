//! What guests ask of any event.

use crate::Event;

impl Event {
    /// The contract's name of the event, e.g. `test-finished`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SessionStarted(_) => "session-started",
            Self::Collected(_) => "collected",
            Self::CollectFailed(_) => "collect-failed",
            Self::CollectSkipped(_) => "collect-skipped",
            Self::Deselected(_) => "deselected",
            Self::CollectionFinished(_) => "collection-finished",
            Self::TestStarted(_) => "test-started",
            Self::PhaseFinished(_) => "phase-finished",
            Self::TestFinished(_) => "test-finished",
            Self::NotRun(_) => "not-run",
            Self::Warning(_) => "warning",
            Self::PauseOpened(_) => "pause-opened",
            Self::PauseClosed(_) => "pause-closed",
            Self::JobChanged(_) => "job-changed",
            Self::OrchestrationReported(_) => "orchestration-reported",
            Self::WorkerLost(_) => "worker-lost",
            Self::Interrupted(_) => "interrupted",
            Self::Gap(_) => "gap",
            Self::SessionFinished(_) => "session-finished",
            Self::Extension(_) => "extension",
        }
    }

    /// The node id of the one test or collector that the event is about.
    pub fn nodeid(&self) -> Option<&str> {
        match self {
            Self::CollectFailed((nodeid, _))
            | Self::CollectSkipped((nodeid, _))
            | Self::TestStarted((nodeid, _))
            | Self::NotRun((nodeid, _)) => Some(nodeid),
            Self::PhaseFinished(report) => Some(&report.nodeid),
            Self::TestFinished(end) => Some(&end.nodeid),
            Self::PauseOpened(request) => Some(&request.nodeid),
            Self::Warning(warning) => warning.nodeid.as_deref(),
            Self::SessionStarted(_)
            | Self::Collected(_)
            | Self::Deselected(_)
            | Self::CollectionFinished(_)
            | Self::PauseClosed(_)
            | Self::JobChanged(_)
            | Self::OrchestrationReported(_)
            | Self::WorkerLost(_)
            | Self::Interrupted(_)
            | Self::Gap(_)
            | Self::SessionFinished(_)
            | Self::Extension(_) => None,
        }
    }
}
