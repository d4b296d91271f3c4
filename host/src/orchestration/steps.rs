//! From the guest's steps to the adapter's.

use serde_json::value::RawValue;

use crate::guest::bindings::events;
use crate::guest::bindings::orchestrator as guest;
use crate::guest::orchestrator::Instant;
use crate::protocol::orchestration::{Level, Start, Step, Verdict};

/// The `number`th step of an orchestration, once it has heard of so many ends.
pub fn step(orchestration: &str, number: u64, heard: u64, step: guest::Step) -> Step {
    Step {
        orchestration: orchestration.to_owned(),
        number,
        heard,
        start: step.start.into_iter().map(start).collect(),
        log: step
            .log
            .into_iter()
            .map(|(level, message)| (word(level), message))
            .collect(),
        stop: step.stop,
        verdict: step.verdict.map(|verdict| match verdict {
            guest::Verdict::Passed => Verdict {
                passed: true,
                message: String::new(),
            },
            guest::Verdict::Failed(message) => failed(message),
        }),
    }
}

pub fn failed(message: String) -> Verdict {
    Verdict {
        passed: false,
        message,
    }
}

fn start(action: guest::Action) -> Start {
    Start {
        name: action.name,
        instance: action.instance,
        // The adapter says what is wrong with what is no object.
        params: RawValue::from_string(action.params).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        due: seconds(action.due),
        next: action.next.map(seconds),
    }
}

#[expect(clippy::cast_precision_loss, reason = "to the microsecond, for years")]
pub fn seconds(time: Instant) -> f64 {
    time as f64 / 1e9
}

fn word(level: events::Level) -> Level {
    match level {
        events::Level::Debug => Level::Debug,
        events::Level::Info => Level::Info,
        events::Level::Warning => Level::Warning,
        events::Level::Error => Level::Error,
    }
}
