//! One session, from `configure` to `close`, disturbed in one way or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::effects::Effects;
use super::recorder::Answers;
use super::recording::Recording;
use super::stage::{Stage, StageError, open};
use super::subject::Subject;
use crate::guest::bindings::events::Envelope;
use crate::guest::bindings::exported::{Opening, Refusal, Undone};
use crate::guest::instance::Instance;

/// How often an event is offered that the sink asks to get again.
const OFFERS: usize = 20;

/// How long to wait at the most before an event is offered again.
const LONGEST_WAIT: f64 = 2.0;

/// What happens to a sink that it has to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    None,
    /// Its first instance is opened twice.
    OpenedTwice,
    /// The host is killed when the batch of this index was handled, before that was written down.
    KilledAfter(usize),
    /// The host is killed when half of that batch was handled.
    KilledWithin(usize),
    /// Another build takes over before that batch.
    SwappedBefore(usize),
    ClosedTwice,
}

/// How a session went.
#[derive(Debug, Default)]
pub struct Played {
    pub effects: Effects,
    /// Events that were rejected, with the reason.
    pub rejected: Vec<(u64, String)>,
    /// Events that were asked for again, with the reason.
    pub retried: Vec<(u64, String)>,
    /// Bytes, at the most.
    pub memory: u64,
    /// Bytes of keys and values.
    pub state: u64,
    pub longest_call: Duration,
    pub denied: Vec<String>,
    pub has_logged_too_much: bool,
}

/// Plays a session.
///
/// # Errors
///
/// Where it does not come to its end.
pub async fn play(
    subject: &Subject,
    recording: &Recording,
    disturbance: Disturbance,
    answers: Answers,
) -> Result<Played, StageError> {
    let stage = Stage::new(subject, answers).await?;
    let session = &recording.session;
    let mut instance = stage
        .opened(BTreeMap::new(), session, Opening::Fresh)
        .await?;
    if disturbance == Disturbance::OpenedTwice {
        open(&mut instance, session, Opening::Fresh).await?;
    }
    let mut played = Played::default();
    for (index, batch) in recording.batches().iter().enumerate() {
        if disturbance == Disturbance::SwappedBefore(index) {
            instance = stage
                .opened(instance.into_state(), session, Opening::Swapped)
                .await?;
        }
        if disturbance == Disturbance::KilledWithin(index) {
            let (half, _) = batch.split_at(batch.len().div_ceil(2));
            handle(&mut instance, half, &mut played).await?;
            instance = stage
                .opened(instance.into_state(), session, Opening::Restarted)
                .await?;
        }
        let mut undone = handle(&mut instance, batch, &mut played).await?;
        if disturbance == Disturbance::KilledAfter(index) {
            instance = stage
                .opened(instance.into_state(), session, Opening::Restarted)
                .await?;
            undone = handle(&mut instance, batch, &mut played).await?;
        }
        settle(&mut instance, batch, undone, &mut played).await?;
    }
    let closings = if disturbance == Disturbance::ClosedTwice {
        2
    } else {
        1
    };
    for _ in 0..closings {
        let closed = instance.close().await.map_err(StageError::Close)?;
        closed.map_err(StageError::NotClosed)?;
    }
    instance.hang_up().await;
    played.memory = played.memory.max(instance.memory());
    played.effects = stage.effects()?;
    played.denied = stage.denied();
    played.has_logged_too_much = stage.has_logged_too_much();
    Ok(played)
}

/// What a sink does where it is configured and never opened: it may do nothing.
///
/// # Errors
///
/// Where it fails, or refuses.
pub async fn configure_alone(subject: &Subject) -> Result<Effects, StageError> {
    let stage = Stage::new(subject, Answers::All(200)).await?;
    stage.configured(BTreeMap::new()).await?;
    stage.effects()
}

async fn handle(
    instance: &mut Instance,
    batch: &[Envelope],
    played: &mut Played,
) -> Result<Vec<Undone>, StageError> {
    let began = Instant::now();
    let handled = instance.handle(batch).await;
    played.longest_call = played.longest_call.max(began.elapsed());
    played.memory = played.memory.max(instance.memory());
    let ends = |event: Option<&Envelope>| event.map_or(0, |event| event.seq);
    handled.map_err(|error| StageError::Handle {
        first: ends(batch.first()),
        last: ends(batch.last()),
        error,
    })
}

/// Writes down what a batch came to, and offers again what is asked for again.
async fn settle(
    instance: &mut Instance,
    batch: &[Envelope],
    undone: Vec<Undone>,
    played: &mut Played,
) -> Result<(), StageError> {
    let mut undone = undone;
    for offer in 0.. {
        instance.state_committed();
        let mut again = Vec::new();
        let mut wait = 0.0_f64;
        for Undone { seq, why } in undone {
            match why {
                Refusal::Reject(why) => played.rejected.push((seq, why)),
                Refusal::Retry((after, why)) => {
                    wait = wait.max(after.min(LONGEST_WAIT));
                    if offer == 0 {
                        played.retried.push((seq, why.clone()));
                    }
                    if offer == OFFERS {
                        played
                            .rejected
                            .push((seq, format!("still asked for again: {why}")));
                    } else {
                        again.extend(batch.iter().filter(|event| event.seq == seq).cloned());
                    }
                }
            }
        }
        if again.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::try_from_secs_f64(wait).unwrap_or_default()).await;
        undone = handle(instance, &again, played).await?;
    }
    played.state = played.state.max(instance.state_size());
    Ok(())
}
