//! How fast a sink is, and what it costs, beside one that does nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::recorder::Answers;
use super::recording::Recording;
use super::stage::{Stage, StageError};
use super::subject::Subject;
use crate::guest::bindings::events::{Envelope, Event};
use crate::guest::bindings::exported::Opening;
use crate::guest::module::Module;

/// Events that a host delivers at once, at the most.
const BATCH: usize = 256;
/// Calls with a single event that are timed.
const SINGLE: usize = 500;

/// What was measured in one round.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// From the component's file, compiled before, to a session that is open.
    pub start: Duration,
    /// Of all events, in full batches.
    pub handling: Duration,
    /// Of each full batch.
    pub batches: Vec<Duration>,
    /// Of calls with one event.
    pub singles: Vec<Duration>,
    /// Bytes.
    pub memory: u64,
}

/// What several rounds come to: medians.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// Events a second, in batches of 256.
    pub events_per_second: f64,
    /// Seconds of a call with 256 events: half of them took no longer, and 99 in 100.
    pub batch_median: f64,
    pub batch_p99: f64,
    /// Seconds of a call with one event.
    pub event_median: f64,
    pub event_p99: f64,
    /// Seconds from its file, compiled before, to a session that is open.
    pub start: f64,
    /// Bytes of memory at the most.
    pub memory: u64,
}

/// Events to measure with: those of a recording, over and over.
#[must_use]
pub fn load(recording: &Recording, count: usize) -> Vec<Envelope> {
    let is_frame =
        |event: &Event| matches!(event, Event::SessionStarted(_) | Event::SessionFinished(_));
    recording
        .events
        .iter()
        .filter(|event| !is_frame(&event.event))
        .cycle()
        .take(count)
        .zip(1..)
        .map(|(event, seq)| Envelope {
            seq,
            ..event.clone()
        })
        .collect()
}

/// One round: a session with these events.
///
/// # Errors
///
/// Where the sink fails.
pub async fn round(
    subject: &Subject,
    recording: &Recording,
    events: &[Envelope],
) -> Result<Round, StageError> {
    let stage = Stage::new(subject, Answers::All(200)).await?;
    let began = Instant::now();
    Module::load(&subject.spec.module, None).map_err(|bad| StageError::Need(bad.to_string()))?;
    let loading = began.elapsed();
    let began = Instant::now();
    let session = &recording.session;
    let mut instance = stage
        .opened(BTreeMap::new(), session, Opening::Fresh)
        .await?;
    let mut round = Round {
        start: loading + began.elapsed(),
        ..Round::default()
    };
    for batch in events.chunks(BATCH) {
        let taken = timed(&mut instance, batch).await?;
        round.handling += taken;
        if batch.len() == BATCH {
            round.batches.push(taken);
        }
    }
    for event in events.iter().take(SINGLE) {
        let taken = timed(&mut instance, std::slice::from_ref(event)).await?;
        round.singles.push(taken);
    }
    round.memory = instance.memory();
    Ok(round)
}

async fn timed(
    instance: &mut crate::guest::instance::Instance,
    batch: &[Envelope],
) -> Result<Duration, StageError> {
    let began = Instant::now();
    let handled = instance.handle(batch).await;
    let taken = began.elapsed();
    handled.map_err(|error| StageError::Handle {
        first: batch.first().map_or(0, |event| event.seq),
        last: batch.last().map_or(0, |event| event.seq),
        error,
    })?;
    instance.state_committed();
    Ok(taken)
}

/// What rounds with `events` events each come to.
#[must_use]
pub fn summary(rounds: &[Round], events: usize) -> Measured {
    let seconds = |of: fn(&Round) -> Duration| -> Vec<f64> {
        rounds.iter().map(|round| of(round).as_secs_f64()).collect()
    };
    let all = |of: fn(&Round) -> &Vec<Duration>| -> Vec<f64> {
        let taken = rounds.iter().flat_map(of);
        taken.map(Duration::as_secs_f64).collect()
    };
    let handling = at(seconds(|round| round.handling), 0.5);
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let count = events as f64;
    Measured {
        events_per_second: if handling > 0.0 {
            count / handling
        } else {
            0.0
        },
        batch_median: at(all(|round| &round.batches), 0.5),
        batch_p99: at(all(|round| &round.batches), 0.99),
        event_median: at(all(|round| &round.singles), 0.5),
        event_p99: at(all(|round| &round.singles), 0.99),
        start: at(seconds(|round| round.start), 0.5),
        memory: rounds.iter().map(|round| round.memory).max().unwrap_or(0),
    }
}

/// The value that a part of all is not above; 0 of none.
fn at(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within the list"
    )]
    let index = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_all() {
        assert_eq!(at(vec![3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(at((0..=100).map(f64::from).collect(), 0.99), 99.0);
        assert_eq!(at(vec![], 0.5), 0.0);
    }
}
