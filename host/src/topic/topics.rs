//! All topics of a host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::message::{Message, Source};
use super::ring::{Ring, RingLimits};
use super::subscription::{Start, Subscription};

/// What topics may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub ring: RingLimits,
    /// Bytes of all rings together.
    pub bytes: usize,
    /// Topics that one sink has, in all runs.
    pub of_sink: usize,
    /// Topics in all.
    pub topics: usize,
    /// After so long without a message and without a subscriber a topic is dropped.
    pub idle: Duration,
}

impl Default for Limits {
    /// A ring holds what the relay says of 20,000 tests, so that a subscriber may be
    /// as far behind as a run of that size.
    fn default() -> Self {
        Self {
            ring: RingLimits {
                messages: 1 << 16,
                bytes: 64 << 20,
            },
            bytes: 256 << 20,
            of_sink: 16,
            topics: 4096,
            idle: Duration::from_secs(600),
        }
    }
}

/// Why a message or a subscriber is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a sink may have {0} topics")]
    OfSink(usize),
    #[error("there are {0} topics already")]
    Topics(usize),
}

/// A cheap handle on all topics.
#[derive(Clone, Default)]
pub struct Topics(Option<Arc<Inner>>);

struct Inner {
    limits: Limits,
    topics: RwLock<HashMap<Arc<str>, Arc<Topic>>>,
    swept: Mutex<Instant>,
}

pub(super) struct Topic {
    pub name: Arc<str>,
    pub epoch: Arc<str>,
    held: Mutex<Held>,
}

pub(super) struct Held {
    pub ring: Ring,
    pub bells: Vec<Arc<Notify>>,
    /// The sink that published first.
    owner: Option<Arc<str>>,
    used: Instant,
}

impl Topic {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            epoch: format!("{:012x}", fastrand::u64(..1 << 48)).into(),
            held: Mutex::new(Held {
                ring: Ring::default(),
                bells: Vec::new(),
                owner: None,
                used: Instant::now(),
            }),
        }
    }

    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topics {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Some(Arc::new(Inner {
            limits,
            topics: RwLock::default(),
            swept: Mutex::new(Instant::now()),
        })))
    }

    /// Those of a host that nobody can subscribe to: nothing is kept.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Adds a message to a topic; answers with its number.
    ///
    /// # Errors
    ///
    /// Where there would be too many topics.
    pub fn publish(
        &self,
        name: &str,
        source: Option<&Source>,
        text: impl Into<Arc<str>>,
    ) -> Result<u64, Refused> {
        let Some(inner) = &self.0 else {
            return Ok(0);
        };
        inner.sweep();
        let text = text.into();
        let topics = loop {
            // Under this lock the topic is not dropped.
            let topics = inner.read();
            let owner = source.map(|source| &source.sink);
            match topics.get(name) {
                Some(topic) if owner.is_none() || topic.held().owner.is_some() => break topics,
                _ => {
                    drop(topics);
                    inner.claim(name, owner)?;
                }
            }
        };
        let Some(topic) = topics.get(name) else {
            return Ok(0);
        };
        let make = |seq| {
            let (name, epoch) = (Arc::clone(&topic.name), Arc::clone(&topic.epoch));
            Message::new(seq, name, epoch, source.cloned(), text)
        };
        let mut held = topic.held();
        let seq = held.ring.push(make, inner.limits.ring);
        held.used = Instant::now();
        for bell in &held.bells {
            bell.notify_one();
        }
        let bytes = held.ring.bytes();
        drop(held);
        // Only then can all of them together be too much.
        if bytes > inner.limits.bytes / topics.len().max(1) {
            shrink(&topics, inner.limits.bytes);
        }
        Ok(seq)
    }

    /// Subscribes to a topic, whether or not anybody has published on it.
    ///
    /// # Errors
    ///
    /// Where there would be too many topics, or there is none at all.
    pub fn subscribe(
        &self,
        name: &str,
        start: Start,
        bell: Arc<Notify>,
    ) -> Result<Subscription, Refused> {
        let inner = self.0.as_ref().ok_or(Refused::Topics(0))?;
        inner.sweep();
        loop {
            let topics = inner.read();
            if let Some(topic) = topics.get(name) {
                let topic = Arc::clone(topic);
                // It has a bell before the lock is let go of, so it stays.
                return Ok(Subscription::new(self.clone(), topic, start, bell));
            }
            drop(topics);
            inner.claim(name, None)?;
        }
    }

    /// Drops a topic that nobody subscribes to. Its numbers begin again, with
    /// another epoch.
    pub fn forget(&self, name: &str) {
        if let Some(inner) = &self.0 {
            let mut topics = inner.write();
            if topics
                .get(name)
                .is_some_and(|topic| topic.held().bells.is_empty())
            {
                topics.remove(name);
            }
        }
    }

    /// Whether anybody subscribes to it.
    #[must_use]
    pub fn is_heard(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|inner| {
            let topics = inner.read();
            topics
                .get(name)
                .is_some_and(|topic| !topic.held().bells.is_empty())
        })
    }

    /// The names of topics that guests have published on.
    #[must_use]
    pub fn of_guests(&self) -> Vec<Arc<str>> {
        let Some(inner) = &self.0 else {
            return Vec::new();
        };
        let topics = inner.read();
        let published = topics.values().filter(|topic| topic.held().owner.is_some());
        let mut names: Vec<_> = published.map(|topic| Arc::clone(&topic.name)).collect();
        names.sort_unstable();
        names
    }

    /// Bytes that are kept, as they are counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let inner = self.0.as_ref();
        inner.map_or(0, |inner| total(&inner.read()))
    }
}

type Map = HashMap<Arc<str>, Arc<Topic>>;

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the topic where there is none, and `owner`'s where it is nobody's.
    fn claim(&self, name: &str, owner: Option<&Arc<str>>) -> Result<(), Refused> {
        let mut topics = self.write();
        if let Some(owner) = owner {
            let is_owned = |topic: &&Arc<Topic>| topic.held().owner.as_ref() == Some(owner);
            if topics.values().filter(is_owned).count() >= self.limits.of_sink {
                return Err(Refused::OfSink(self.limits.of_sink));
            }
        }
        if !topics.contains_key(name) {
            if topics.len() >= self.limits.topics {
                return Err(Refused::Topics(self.limits.topics));
            }
            let topic = Arc::new(Topic::new(name));
            topics.insert(Arc::clone(&topic.name), topic);
        }
        if let (Some(topic), Some(owner)) = (topics.get(name), owner) {
            topic.held().owner.get_or_insert_with(|| Arc::clone(owner));
        }
        Ok(())
    }

    /// Drops idle topics, from time to time.
    fn sweep(&self) {
        let Ok(mut swept) = self.swept.try_lock() else {
            return;
        };
        if swept.elapsed() < self.limits.idle / 10 {
            return;
        }
        *swept = Instant::now();
        self.write().retain(|_, topic| {
            let held = topic.held();
            !held.bells.is_empty() || held.used.elapsed() < self.limits.idle
        });
    }
}

/// Takes from the largest until all together are small enough.
fn shrink(topics: &Map, limit: usize) {
    while total(topics) > limit {
        let largest = topics
            .values()
            .max_by_key(|topic| topic.held().ring.bytes());
        let Some(largest) = largest else { return };
        let mut held = largest.held();
        let enough = held.ring.bytes() - held.ring.bytes() / 8;
        while held.ring.bytes() > enough && held.ring.drop_oldest() {}
        if held.ring.bytes() == 0 {
            return;
        }
    }
}

fn total(topics: &Map) -> usize {
    topics.values().map(|topic| topic.held().ring.bytes()).sum()
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.as_ref().map(|inner| inner.read().len());
        f.debug_tuple("Topics").field(&count).finish()
    }
}
