//! Which events of a test have messages.

use pytest_host_sdk::{
    Envelope, Event, Opening, Session,
    captured::Captured,
    delivery::{Lane, Source},
    events::Verdict,
    state::State,
};

use crate::message::{Message, Messages};

/// What the tests of a session come to.
#[derive(Debug)]
pub struct Tests<S> {
    session: Session,
    captured: Captured<S>,
    messages: Messages,
}

impl<S: State> Tests<S> {
    pub fn new(session: Session, why: Opening, state: S, messages: Messages) -> Self {
        Self {
            session,
            captured: Captured::new(state, why),
            messages,
        }
    }
}

impl<S: State> Source for Tests<S> {
    type Item = Message;

    fn lane(&self, envelope: &Envelope) -> Option<Lane> {
        let nodeid = match &envelope.event {
            Event::TestStarted((nodeid, _)) | Event::CollectFailed((nodeid, _)) => nodeid,
            Event::PhaseFinished(report) => &report.nodeid,
            Event::TestFinished(end) => &end.nodeid,
            _ => return None,
        };
        Some(Lane::new(&self.session, envelope, nodeid))
    }

    fn items(&self, envelope: &Envelope, lane: &Lane) -> Vec<Message> {
        let Envelope {
            time,
            worker,
            event,
            ..
        } = envelope;
        match event {
            Event::TestStarted((nodeid, _)) => vec![self.messages.item_started(nodeid, *time)],
            Event::CollectFailed((nodeid, failure)) => {
                vec![self.messages.collection_failed(nodeid, failure, *time)]
            }
            Event::PhaseFinished(report) => self
                .messages
                .reported(report, || self.captured.so_far(report, lane).out),
            Event::TestFinished(end) => match end.verdict {
                Verdict::Crashed => {
                    vec![self.messages.crashed(&end.nodeid, worker.as_deref(), *time)]
                }
                Verdict::Interrupted => vec![self.messages.interrupted(&end.nodeid, *time)],
                _ => vec![],
            },
            _ => vec![],
        }
    }

    fn done(&mut self, envelope: &Envelope, lane: &Lane) {
        self.captured.done(envelope, lane);
    }
}
