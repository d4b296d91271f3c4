//! The newest messages of a topic.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::Message;

/// What is kept of a topic.
#[derive(Clone, Copy, Debug)]
pub struct RingLimits {
    pub messages: usize,
    pub bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    last: u64,
}

impl Ring {
    /// The number of the newest message, or 0.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The number of the oldest that is kept; where none is, of the next one.
    pub fn first(&self) -> u64 {
        self.last + 1 - self.messages.len() as u64
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next message, and drops the oldest where there are too many. The new
    /// one is kept however large it is.
    pub fn push(&mut self, make: impl FnOnce(u64) -> Message, limits: RingLimits) -> u64 {
        self.last += 1;
        let message = make(self.last);
        self.bytes += message.cost();
        self.messages.push_back(Arc::new(message));
        while self.messages.len() > 1
            && (self.messages.len() > limits.messages || self.bytes > limits.bytes)
        {
            self.drop_oldest();
        }
        self.last
    }

    /// Drops one; false where there is none.
    pub fn drop_oldest(&mut self) -> bool {
        let oldest = self.messages.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, |oldest| oldest.cost());
        oldest.is_some()
    }

    /// What is kept from `from` on.
    pub fn after(&self, from: u64) -> impl Iterator<Item = &Arc<Message>> {
        let skip = from.saturating_sub(self.first());
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.messages.range(skip.min(self.messages.len())..)
    }
}
