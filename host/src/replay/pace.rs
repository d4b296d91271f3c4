//! When an event is to be played.

use std::time::{Duration, Instant};

use crate::guest::bindings::events::{Envelope, Event};

/// By the times at which the events happened.
pub struct Pace {
    speed: f64,
    started: Instant,
    /// The time of the first event.
    first: Option<f64>,
    /// When the host said what became of a run whose pytest had died: that may
    /// have been days later.
    aborted: Option<f64>,
}

impl Pace {
    /// Begins now, to play what ends with `end`.
    pub fn new(speed: f64, end: Option<Envelope>) -> Self {
        let died = |end: &Envelope| match &end.event {
            Event::SessionFinished(said) => said.exitstatus.is_none(),
            _ => false,
        };
        Self {
            speed,
            started: Instant::now(),
            first: None,
            aborted: end.filter(died).map(|end| end.time),
        }
    }

    pub fn due(&mut self, event: &Envelope) -> Instant {
        let first = *self.first.get_or_insert(event.time);
        if self.aborted == Some(event.time) {
            return self.started;
        }
        // Of several processes, one may tell later what happened earlier.
        let after = ((event.time - first) / self.speed).max(0.0);
        let after = Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX);
        self.started.checked_add(after).unwrap_or(self.started)
    }
}
