//! From a batch of events to what leaves for them, each test's in order.
//!
//! What leaves for one test never overtakes: what follows something that could not leave waits with it. That
//! holds for the test's other events too, since they may change what is made of later ones.

use std::collections::{BTreeMap, VecDeque};

use crate::{Envelope, Refusal, Session, Undone};

/// What a sink makes of events.
pub trait Source {
    /// What leaves, say one request.
    type Item;

    /// What the event must stay in order with. Events without a lane are done as they are.
    fn lane(&self, envelope: &Envelope) -> Option<Lane>;

    /// What leaves for an event, in order; mostly nothing or one item. Asked once all that comes before it in
    /// its lane is done, and again where the event is delivered again.
    fn items(&self, envelope: &Envelope, lane: &Lane) -> Vec<Self::Item>;

    /// Takes note of an event that needs no more doing.
    fn done(&mut self, envelope: &Envelope, lane: &Lane);
}

/// What must stay in order: the events of one test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Set under `--dist each` only, where every worker runs the same tests.
    pub worker: Option<String>,
    pub nodeid: String,
}

impl Lane {
    /// The lane of the test `nodeid`, of which `envelope` tells.
    pub fn new(session: &Session, envelope: &Envelope, nodeid: &str) -> Self {
        let each = session.dist.as_deref() == Some("each");
        Self {
            worker: envelope.worker.clone().filter(|_| each),
            nodeid: nodeid.to_owned(),
        }
    }
}

/// An item on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel<T> {
    /// The event that it is for.
    pub seq: u64,
    /// 1 for what leaves first for that event.
    pub part: usize,
    pub item: T,
}

/// What became of the parcels that were tried together.
pub enum Tried {
    /// For each in turn, what it was refused for, if it was.
    Each(Vec<Option<Refusal>>),
    /// As `Each`, and there is no point in trying others now.
    Stop(Vec<Option<Refusal>>),
}

/// Delivers what a batch comes to through `attempt`, which tries at most `limit` parcels at once, no two of one
/// test. With a limit of 1 they come in the order of the batch.
///
/// Where something is to be tried again, its event is undone, and with it what follows in the lane: all that
/// leaves for the event comes again then. What is rejected holds nothing up, and leaves its event rejected.
pub fn deliver<S: Source>(
    source: &mut S,
    batch: Vec<Envelope>,
    limit: usize,
    mut attempt: impl FnMut(&[Parcel<S::Item>]) -> Tried,
) -> Vec<Undone> {
    let mut undone = Vec::new();
    let mut queues = Queues::new(source, batch);
    let mut stopped = None;
    while stopped.is_none() {
        let (parcels, senders): (Vec<_>, Vec<_>) = std::iter::from_fn(|| queues.next(source))
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
            queues.settle(source, queue, refusal, &mut undone);
        }
    }
    if let Some(why) = stopped {
        queues.give_up(&why, &mut undone);
    }
    undone
}

/// One lane's events, those not yet done.
struct Queue<T> {
    lane: Lane,
    events: VecDeque<Envelope>,
    /// What the first event still comes to, once that was asked.
    front: Option<Front<T>>,
}

struct Front<T> {
    items: VecDeque<T>,
    /// Of the item that is next.
    part: usize,
    rejected: Option<Refusal>,
}

impl<T> Queue<T> {
    /// The first event's next item.
    fn parcel(&mut self, source: &impl Source<Item = T>) -> Option<Parcel<T>> {
        let first = self.events.front()?;
        let front = self.front.get_or_insert_with(|| Front {
            items: source.items(first, &self.lane).into(),
            part: 1,
            rejected: None,
        });
        let item = front.items.pop_front()?;
        Some(Parcel {
            seq: first.seq,
            part: front.part,
            item,
        })
    }

    /// The first event has nothing more to leave.
    fn finish(&mut self, source: &mut impl Source<Item = T>, undone: &mut Vec<Undone>) {
        let rejected = self.front.take().and_then(|front| front.rejected);
        if let Some(first) = self.events.pop_front() {
            source.done(&first, &self.lane);
            undone.extend(rejected.map(|why| Undone {
                seq: first.seq,
                why,
            }));
        }
    }

    fn give_up(self, why: &Refusal, undone: &mut Vec<Undone>) {
        undone.extend(self.events.into_iter().map(|event| Undone {
            seq: event.seq,
            why: why.clone(),
        }));
    }
}

/// Queues by the `seq` of their first event, so that the earliest comes first.
struct Queues<T>(BTreeMap<u64, Queue<T>>);

impl<T> Queues<T> {
    fn new(source: &impl Source<Item = T>, batch: Vec<Envelope>) -> Self {
        let mut lanes = BTreeMap::<Lane, VecDeque<Envelope>>::new();
        for envelope in batch {
            if let Some(lane) = source.lane(&envelope) {
                lanes.entry(lane).or_default().push_back(envelope);
            }
        }
        let mut queues = Self(BTreeMap::new());
        for (lane, events) in lanes {
            queues.push(Queue {
                lane,
                events,
                front: None,
            });
        }
        queues
    }

    fn push(&mut self, queue: Queue<T>) {
        if let Some(first) = queue.events.front() {
            self.0.insert(first.seq, queue);
        }
    }

    /// Takes out the first queue that has a parcel, and does whatever comes before that parcel.
    fn next(&mut self, source: &mut impl Source<Item = T>) -> Option<(Parcel<T>, Queue<T>)> {
        while let Some((_, mut queue)) = self.0.pop_first() {
            if let Some(parcel) = queue.parcel(source) {
                return Some((parcel, queue));
            }
            // Nothing was tried, so nothing was rejected.
            queue.finish(source, &mut Vec::new());
            self.push(queue);
        }
        None
    }

    /// Goes on with a queue whose parcel was tried.
    fn settle(
        &mut self,
        source: &mut impl Source<Item = T>,
        mut queue: Queue<T>,
        refusal: Option<Refusal>,
        undone: &mut Vec<Undone>,
    ) {
        if let Some(why @ Refusal::Retry(_)) = refusal {
            return queue.give_up(&why, undone);
        }
        if let Some(front) = &mut queue.front {
            front.part += 1;
            front.rejected = front.rejected.take().or(refusal);
            if !front.items.is_empty() {
                return self.push(queue);
            }
        }
        queue.finish(source, undone);
        self.push(queue);
    }

    fn give_up(self, why: &Refusal, undone: &mut Vec<Undone>) {
        for queue in self.0.into_values() {
            queue.give_up(why, undone);
        }
    }
}

#[cfg(test)]
mod tests;
