//! The orchestrations of one connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc;

use super::drive::{News, drive};
use super::source;
use crate::guest::orchestrator::Orchestrator;
use crate::journal::Journal;
use crate::protocol::message::FromHost;
use crate::protocol::orchestration::{Begin, Check, Checked, Ended};

/// Each with a thread that ends when it is taken out here.
pub struct Orchestrations {
    lines: tokio::sync::mpsc::Sender<FromHost>,
    live: HashMap<String, mpsc::Sender<News>>,
}

impl Orchestrations {
    #[must_use]
    pub fn new(lines: tokio::sync::mpsc::Sender<FromHost>) -> Self {
        Self {
            lines,
            live: HashMap::new(),
        }
    }

    /// Answers whether it could begin.
    pub fn check(&self, check: Check) {
        let lines = self.lines.clone();
        // To compile a component takes a while.
        tokio::task::spawn_blocking(move || {
            let source = source(check.orchestrator.as_deref());
            let loaded = Orchestrator::load(&source, &check.description, check.hours, check.seed);
            let problem = loaded.err().map(|error| error.to_string());
            let _ = lines.blocking_send(FromHost::Checked(Checked { problem }));
        });
    }

    pub fn begin(&mut self, begin: Begin, journal: Arc<dyn Journal>) {
        let (sender, news) = mpsc::channel();
        let lines = self.lines.clone();
        let id = begin.orchestration.clone();
        let thread = std::thread::Builder::new().name("orchestration".into());
        let spawned = thread.spawn(move || drive(&begin, journal, &news, lines));
        match spawned {
            Ok(_) => {
                self.live.insert(id, sender);
            }
            Err(error) => tracing::error!("orchestration {id} cannot begin: {error}"),
        }
    }

    pub fn completed(&self, ended: Ended) {
        if let Some(orchestration) = self.live.get(&ended.orchestration) {
            // One that is over needs nothing more.
            let _ = orchestration.send(News::Ended(ended));
        }
    }

    pub fn kill(&self, id: &str) {
        if let Some(orchestration) = self.live.get(id) {
            let _ = orchestration.send(News::Killed);
        }
    }

    pub fn end(&mut self, id: &str) {
        self.live.remove(id);
    }
}
