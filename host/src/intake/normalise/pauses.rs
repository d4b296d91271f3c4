//! Pauses that are open, so that each is closed.

use std::collections::BTreeMap;

use serde_json::json;

use crate::guest::bindings::events::{self, Event, Extension, PauseEnd};
use crate::intake::convert;
use crate::journal::Draft;
use crate::protocol::frame::{self, PauseRequest};

/// By id: the worker that each is in.
#[derive(Debug, Default)]
pub struct Pauses(BTreeMap<String, Option<String>>);

impl Pauses {
    /// Takes in what an event in the journal says.
    pub fn note(&mut self, worker: Option<&String>, event: &Event) {
        match event {
            Event::PauseOpened(pause) => {
                self.0.insert(pause.id.clone(), worker.cloned());
            }
            Event::PauseClosed((id, ..)) => {
                self.0.remove(id);
            }
            _ => {}
        }
    }

    /// The contract has no place of its own for what to type to answer a pause.
    pub fn open(
        &mut self,
        worker: Option<&String>,
        pause: PauseRequest,
        command: &str,
    ) -> [Event; 2] {
        let payload = json!({"pause": pause.id, "command": command}).to_string();
        let opened = Event::PauseOpened(convert::pause(pause));
        self.note(worker, &opened);
        let name = "pause-command".to_owned();
        [opened, Event::Extension(Extension { name, payload })]
    }

    pub fn close(&mut self, end: frame::PauseEnd) -> Event {
        let closed = convert::pause_end(end);
        self.note(None, &closed);
        closed
    }

    /// Nothing follows: the processes of those that are left ended while they were paused.
    pub fn abandon(&mut self, now: f64) -> impl Iterator<Item = Draft> + use<> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(move |(id, worker)| {
                let decision = events::Decision {
                    outcome: None,
                    reason: None,
                    failure_reason: None,
                    by: String::new(),
                };
                Draft {
                    time: now,
                    worker,
                    event: Event::PauseClosed((id, PauseEnd::Abandoned, decision)),
                }
            })
    }
}
