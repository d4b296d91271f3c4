//! A sink's way to topics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::message::Source;
use super::name;
use super::topics::{Refused, Topics};
use crate::secrets::scrubbed;
use crate::text::brief;

/// Bytes of a message.
const LONGEST: usize = 4 << 20;

/// Why a message of a guest goes nowhere.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("a topic's name has 1 to 128 letters, digits and . _ - /")]
    Name,
    #[error("that topic is the host's own")]
    Own,
    #[error("a message may have {LONGEST} bytes, and this one has {0}")]
    Long(usize),
    #[error("{0}")]
    Refused(#[from] Refused),
}

impl Unfit {
    fn bit(&self) -> u8 {
        match self {
            Self::Name => 1,
            Self::Own => 2,
            Self::Long(_) => 4,
            Self::Refused(_) => 8,
        }
    }
}

/// What the instances of a sink share: what was refused is told once.
#[derive(Clone, Debug, Default)]
pub struct Outlet {
    topics: Topics,
    told: Arc<AtomicU8>,
}

impl Outlet {
    #[must_use]
    pub fn new(topics: Topics) -> Self {
        Self {
            topics,
            told: Arc::default(),
        }
    }

    /// For an instance of `sink` that gets the events of `run`.
    #[must_use]
    pub fn publisher(&self, sink: &str, run: &str) -> Publisher {
        Publisher {
            outlet: self.clone(),
            source: Source {
                sink: sink.into(),
                run: run.into(),
            },
        }
    }
}

/// What an instance publishes through.
#[derive(Clone, Debug)]
pub struct Publisher {
    outlet: Outlet,
    source: Source,
}

impl Publisher {
    /// Publishes; what is not fit to be goes nowhere, and is told of once.
    pub fn publish(&self, topic: &str, text: String) {
        if let Err(unfit) = self.try_publish(topic, text) {
            let told = self.outlet.told.fetch_or(unfit.bit(), Ordering::Relaxed);
            if told & unfit.bit() == 0 {
                let (sink, topic) = (&self.source.sink, brief(topic));
                tracing::warn!(%sink, topic, "not published: {unfit}; said once");
            }
        }
    }

    fn try_publish(&self, topic: &str, text: String) -> Result<(), Unfit> {
        if name::is_of_the_host(topic) {
            return Err(Unfit::Own);
        }
        if !name::is_valid(topic) {
            return Err(Unfit::Name);
        }
        if text.len() > LONGEST {
            return Err(Unfit::Long(text.len()));
        }
        let text = scrubbed(text);
        self.outlet
            .topics
            .publish(topic, Some(&self.source), text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::{Limits, Start};

    #[test]
    fn what_is_unfit_goes_nowhere() {
        let topics = Topics::new(Limits::default());
        let publisher = Outlet::new(topics.clone()).publisher("mine", "run-1");
        for topic in ["", "a b", "jobs", "run/1"] {
            publisher.publish(topic, "x".into());
        }
        publisher.publish("large", "x".repeat(LONGEST + 1));
        assert!(topics.of_guests().is_empty());
        publisher.publish("news", "x".into());
        let mut subscription = topics
            .subscribe("news", Start::From(1), Arc::default())
            .unwrap();
        let [message] = &subscription.take(9).unwrap()[..] else {
            panic!("one message")
        };
        assert_eq!(&*message.source.as_ref().unwrap().run, "run-1");
        assert_eq!(publisher.outlet.told.load(Ordering::Relaxed), 7);
    }
}
