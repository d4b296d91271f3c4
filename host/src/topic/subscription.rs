//! Somebody who reads a topic.

use std::sync::Arc;

use tokio::sync::Notify;

use super::message::Message;
use super::topics::{Topic, Topics};

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is published from now on.
    Now,
    /// With the message of this number.
    From(u64),
}

/// The next message of a subscriber is not kept any more: it read too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} messages were not read in time")]
pub struct Behind {
    pub missed: u64,
}

/// Reads a topic, message by message; others don't notice.
pub struct Subscription {
    topics: Topics,
    topic: Arc<Topic>,
    bell: Arc<Notify>,
    next: u64,
    missed: u64,
}

impl Subscription {
    /// `bell` is rung when there is something to read; it may be that of other
    /// subscriptions, too.
    pub(super) fn new(topics: Topics, topic: Arc<Topic>, start: Start, bell: Arc<Notify>) -> Self {
        let mut held = topic.held();
        held.bells.push(Arc::clone(&bell));
        let (first, end) = (held.ring.first(), held.ring.last() + 1);
        let (next, missed) = match start {
            Start::Now => (end, 0),
            // A number of the future was given out before the topic began again.
            Start::From(from) if from > end => (first, from - end),
            Start::From(from) => (from.max(first), first.saturating_sub(from.max(1))),
        };
        drop(held);
        Self {
            topics,
            topic,
            bell,
            next,
            missed,
        }
    }

    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic.name
    }

    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.topic.epoch
    }

    /// The number of the next message.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// The number of the oldest message that is kept.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.topic.held().ring.first()
    }

    /// How many messages from where it was to begin are not to be had.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Goes on with what is published after the message `seq`.
    pub fn skip_to(&mut self, seq: u64) {
        self.next = seq + 1;
    }

    /// What there is now, up to `most` messages.
    ///
    /// # Errors
    ///
    /// Where the next one is gone. It is as if all that is gone was read.
    pub fn take(&mut self, most: usize) -> Result<Vec<Arc<Message>>, Behind> {
        let held = self.topic.held();
        let first = held.ring.first();
        if self.next < first {
            let missed = first - self.next;
            self.next = first;
            return Err(Behind { missed });
        }
        let taken: Vec<_> = held.ring.after(self.next).take(most).cloned().collect();
        drop(held);
        self.next += taken.len() as u64;
        Ok(taken)
    }

    /// Waits for messages, and takes up to `most`; for who has one subscription.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub async fn wait(&mut self, most: usize) -> Result<Vec<Arc<Message>>, Behind> {
        loop {
            let taken = self.take(most)?;
            if !taken.is_empty() {
                return Ok(taken);
            }
            self.bell.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut held = self.topic.held();
        let own = held
            .bells
            .iter()
            .position(|bell| Arc::ptr_eq(bell, &self.bell));
        if let Some(own) = own {
            held.bells.swap_remove(own);
        }
        // The host's own are forgotten by who publishes there: what it knows goes on.
        let own = super::is_of_the_host(&self.topic.name);
        let is_idle = !own && held.bells.is_empty() && held.ring.last() == 0;
        drop(held);
        if is_idle {
            self.topics.forget(&self.topic.name);
        }
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("topic", &self.topic.name)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
