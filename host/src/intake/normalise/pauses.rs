//! Events of pauses that are in no frame.

use std::collections::BTreeMap;

use serde_json::json;

use crate::guest::bindings::events::{Decision, Event, Extension, PauseEnd};
use crate::journal::Draft;

/// What to type to answer a pause; the contract has no place of its own for it.
pub fn command(id: &str, command: &str) -> Event {
    Event::Extension(Extension {
        name: "pause-command".to_owned(),
        payload: json!({"pause": id, "command": command}).to_string(),
    })
}

/// The process of each of these ended while it was paused.
pub fn abandon(paused: BTreeMap<String, Option<String>>, now: f64) -> impl Iterator<Item = Draft> {
    paused.into_iter().map(move |(id, worker)| {
        let decision = Decision {
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
