//! What is published.

use std::sync::{Arc, OnceLock};

/// Bytes that a message counts beside its text.
const OVERHEAD: usize = 256;

/// Where a guest's message is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub sink: Arc<str>,
    pub run: Arc<str>,
}

/// A message on a topic, shared by all who get it.
#[derive(Debug)]
pub struct Message {
    /// From 1 on, without gaps, for each topic.
    pub seq: u64,
    pub topic: Arc<str>,
    /// Another one where the topic's numbers begin again.
    pub epoch: Arc<str>,
    /// None where the host itself says it.
    pub source: Option<Source>,
    pub text: Arc<str>,
    wrapped: OnceLock<Arc<str>>,
}

impl Message {
    pub(super) fn new(
        seq: u64,
        topic: Arc<str>,
        epoch: Arc<str>,
        source: Option<Source>,
        text: Arc<str>,
    ) -> Self {
        Self {
            seq,
            topic,
            epoch,
            source,
            text,
            wrapped: OnceLock::new(),
        }
    }

    /// The message as it goes over the wire, made once for all subscribers.
    pub fn wrapped(&self, wrap: impl FnOnce(&Self) -> String) -> Arc<str> {
        Arc::clone(self.wrapped.get_or_init(|| wrap(self).into()))
    }

    /// Bytes that it takes at most: its text, and that once more as it is sent.
    pub(super) fn cost(&self) -> usize {
        OVERHEAD + 2 * self.text.len()
    }
}
