//! From a batch of events to results, each test's in order.
//!
//! Results of one test never overtake each other: what follows one that could not leave waits with it. That
//! holds for the test's other events too, since they change what a result is made of (a finished test's texts
//! are forgotten).

use std::collections::{BTreeMap, VecDeque};

use pytest_host_sdk::{
    Envelope, Event, Opening, Refusal, Session, Undone,
    events::{Phase, Report},
    state::State,
};

use crate::{
    result::{Origin, TestResult, outcome},
    texts::{Shelf, Texts},
};

/// What is known of a session, and what its tests have captured so far.
#[derive(Debug)]
pub struct Results<S> {
    dist: Option<String>,
    shelf: Shelf<S>,
}

/// A result on its way, with the `seq` of the event that reported it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    pub seq: u64,
    pub result: TestResult,
}

/// What became of the results that were tried together.
pub enum Tried {
    /// For each result in turn, what it was refused for, if it was.
    Each(Vec<Option<Refusal>>),
    /// As `Each`, and there is no point in trying others now.
    Stop(Vec<Option<Refusal>>),
}

impl<S: State> Results<S> {
    pub fn new(session: &Session, why: Opening, state: S) -> Self {
        Self {
            dist: session.dist.clone(),
            shelf: Shelf::new(state, why != Opening::Fresh),
        }
    }

    /// What must stay in order: one test's events, under `--dist each` one worker's. None for events that
    /// concern no test.
    fn lane(&self, envelope: &Envelope) -> Option<Lane> {
        let nodeid = match &envelope.event {
            Event::PhaseFinished(report) => &report.nodeid,
            Event::TestFinished(end) => &end.nodeid,
            _ => return None,
        };
        let worker = if self.dist.as_deref() == Some("each") {
            envelope.worker.clone()
        } else {
            None
        };
        Some(Lane {
            worker,
            nodeid: nodeid.clone(),
        })
    }

    fn result(&self, envelope: &Envelope, lane: &Lane) -> Option<TestResult> {
        let Event::PhaseFinished(report) = &envelope.event else {
            return None;
        };
        let outcome = outcome(report)?;
        let origin = Origin {
            dist: self.dist.as_deref(),
            worker: envelope.worker.as_deref(),
        };
        Some(TestResult::new(
            outcome,
            report,
            origin,
            self.texts(report, lane),
        ))
    }

    /// What the test has captured up to and including this report.
    fn texts(&self, report: &Report, lane: &Lane) -> Texts {
        let mut texts = match report.phase {
            Phase::Setup => Texts::default(),
            Phase::Call | Phase::Teardown => self.shelf.get(&lane.key(report.attempt)),
        };
        texts.add(&report.sections);
        texts
    }

    /// Takes note of an event that needs no more doing.
    fn done(&mut self, envelope: &Envelope, lane: &Lane) {
        match &envelope.event {
            Event::PhaseFinished(report) if carries_on(report) => {
                self.shelf
                    .put(lane.key(report.attempt), &self.texts(report, lane));
            }
            Event::TestFinished(end) => self.shelf.remove(&lane.key(end.attempt)),
            _ => {}
        }
    }
}

/// Whether what a report captured belongs to later results of its test too. A subtest's text is its own: the
/// call's report does not repeat it, and nor do we.
fn carries_on(report: &Report) -> bool {
    !report.sections.is_empty() && report.subtest.is_none() && report.phase != Phase::Teardown
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    worker: Option<String>,
    nodeid: String,
}

impl Lane {
    /// Names one attempt's texts in the sink's state.
    fn key(&self, attempt: u32) -> String {
        format!(
            "texts\n{}\n{attempt}\n{}",
            self.worker.as_deref().unwrap_or_default(),
            self.nodeid
        )
    }
}

/// Delivers what a batch reports through `attempt`, which tries at most `limit` results at once, no two of one
/// test. With a limit of 1 they come in the order of the batch.
pub fn deliver<S: State>(
    results: &mut Results<S>,
    batch: Vec<Envelope>,
    limit: usize,
    mut attempt: impl FnMut(&[Parcel]) -> Tried,
) -> Vec<Undone> {
    let mut undone = Vec::new();
    let mut queues = Queues::new(results, batch);
    let mut stopped = None;
    while stopped.is_none() {
        let (parcels, senders): (Vec<_>, Vec<_>) = std::iter::from_fn(|| queues.next(results))
            .take(limit.max(1))
            .unzip();
        if parcels.is_empty() {
            break;
        }
        let (refusals, stop) = match attempt(&parcels) {
            Tried::Each(refusals) => (refusals, false),
            Tried::Stop(refusals) => (refusals, true),
        };
        for (queue, refusal) in senders.into_iter().zip(refusals) {
            if stop && let Some(why @ Refusal::Retry(_)) = &refusal {
                stopped.get_or_insert_with(|| why.clone());
            }
            queues.settle(results, queue, refusal, &mut undone);
        }
    }
    if let Some(why) = stopped {
        queues.give_up(&why, &mut undone);
    }
    undone
}

/// One test's events, those not yet done.
struct Queue {
    lane: Lane,
    events: VecDeque<Envelope>,
}

/// Queues by the `seq` of their first event, so that the earliest comes first.
struct Queues(BTreeMap<u64, Queue>);

impl Queues {
    fn new<S: State>(results: &Results<S>, batch: Vec<Envelope>) -> Self {
        let mut lanes = BTreeMap::<Lane, VecDeque<Envelope>>::new();
        for envelope in batch {
            if let Some(lane) = results.lane(&envelope) {
                lanes.entry(lane).or_default().push_back(envelope);
            }
        }
        let mut queues = Self(BTreeMap::new());
        for (lane, events) in lanes {
            queues.push(Queue { lane, events });
        }
        queues
    }

    fn push(&mut self, queue: Queue) {
        if let Some(first) = queue.events.front() {
            self.0.insert(first.seq, queue);
        }
    }

    /// Takes out the first queue that has a result, and does whatever comes before that result.
    fn next<S: State>(&mut self, results: &mut Results<S>) -> Option<(Parcel, Queue)> {
        while let Some((_, mut queue)) = self.0.pop_first() {
            let Some(first) = queue.events.front() else {
                continue;
            };
            if let Some(result) = results.result(first, &queue.lane) {
                return Some((
                    Parcel {
                        seq: first.seq,
                        result,
                    },
                    queue,
                ));
            }
            results.done(first, &queue.lane);
            queue.events.pop_front();
            self.push(queue);
        }
        None
    }

    /// Goes on with a queue whose first event was tried.
    fn settle<S: State>(
        &mut self,
        results: &mut Results<S>,
        mut queue: Queue,
        refusal: Option<Refusal>,
        undone: &mut Vec<Undone>,
    ) {
        if let Some(Refusal::Retry((after, reason))) = refusal {
            let why = Refusal::Retry((after, reason));
            undone.extend(queue.events.iter().map(|event| Undone {
                seq: event.seq,
                why: why.clone(),
            }));
            return;
        }
        if let Some(first) = queue.events.pop_front() {
            results.done(&first, &queue.lane);
            undone.extend(refusal.map(|why| Undone {
                seq: first.seq,
                why,
            }));
            self.push(queue);
        }
    }

    fn give_up(self, why: &Refusal, undone: &mut Vec<Undone>) {
        let left = self.0.into_values().flat_map(|queue| queue.events);
        undone.extend(left.map(|event| Undone {
            seq: event.seq,
            why: why.clone(),
        }));
    }
}

#[cfg(test)]
mod tests;
