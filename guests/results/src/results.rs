//! Which events of a session have a result.

use pytest_host_sdk::{
    Envelope, Event, Opening, Session,
    captured::Captured,
    delivery::{Lane, Source},
    state::State,
};

use crate::result::{Origin, TestResult, outcome};

/// What is known of a session, and what its tests have captured so far.
#[derive(Debug)]
pub struct Results<S> {
    session: Session,
    captured: Captured<S>,
}

impl<S: State> Results<S> {
    pub fn new(session: &Session, why: Opening, state: S) -> Self {
        Self {
            session: session.clone(),
            captured: Captured::new(state, why),
        }
    }
}

impl<S: State> Source for Results<S> {
    type Item = TestResult;

    fn lane(&self, envelope: &Envelope) -> Option<Lane> {
        let nodeid = match &envelope.event {
            Event::PhaseFinished(report) => &report.nodeid,
            Event::TestFinished(end) => &end.nodeid,
            _ => return None,
        };
        Some(Lane::new(&self.session, envelope, nodeid))
    }

    fn items(&self, envelope: &Envelope, lane: &Lane) -> Vec<TestResult> {
        let Event::PhaseFinished(report) = &envelope.event else {
            return vec![];
        };
        let Some(outcome) = outcome(report) else {
            return vec![];
        };
        let origin = Origin {
            dist: self.session.dist.as_deref(),
            worker: envelope.worker.as_deref(),
        };
        let texts = self.captured.so_far(report, lane);
        vec![TestResult::new(outcome, report, origin, texts)]
    }

    fn done(&mut self, envelope: &Envelope, lane: &Lane) {
        self.captured.done(envelope, lane);
    }
}

#[cfg(test)]
mod tests;
