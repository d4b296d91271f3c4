//! One run, read from its journal as it goes on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::board::{Board, Render};
use crate::state::StateFolder;
use crate::watch::{Document, Key, Step, Summary, Watched};

/// Steps in one message.
const STEPS: usize = 500;

/// What becomes of a run's document: first the steps happen, then keys of it are what
/// `set` says.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunChange<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Step>, required = false)]
    events: &'a [Step],
    /// Keys of the document and what they are now.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    set: Map<String, Value>,
}

/// Reads a run, once for all that want to know of it.
pub struct Reader {
    watched: Watched,
    /// What whoever has all messages has of the run.
    told: Option<Told>,
}

struct Told {
    keys: Map<String, Value>,
    running: HashSet<Key>,
}

impl Reader {
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            watched: Watched::new(id),
            told: None,
        }
    }

    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.watched)
    }

    /// It is over, and nobody has to look again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.watched.is_over()
    }

    /// Reads on; answers whether there is more than there was time for.
    pub fn look(&mut self, state: &StateFolder, until: Instant) -> bool {
        let more = self.watched.look(state, until);
        self.watched.notes.clear();
        more
    }

    /// Tells `board`, which may be new, what has happened.
    pub fn tell(&mut self, board: &Board, is_behind: bool) {
        let Some(told) = &mut self.told else {
            if !is_behind {
                self.begin(board);
            }
            return;
        };
        let steps = self.watched.steps.as_mut().map(std::mem::take);
        let (changes, document) = told.changes(&self.watched, steps.unwrap_or_default());
        if !changes.is_empty() {
            board.put(changes, render(document));
        }
    }

    /// Nobody is to be told any more.
    pub fn forget(&mut self) {
        self.told = None;
        self.watched.steps = None;
    }

    fn begin(&mut self, board: &Board) {
        let mut document = Document::still(&self.watched);
        self.told = Some(Told {
            keys: keys(&mut document),
            running: self.watched.run.running.keys().cloned().collect(),
        });
        self.watched.steps = Some(Vec::new());
        board.put(Vec::new(), render(document));
    }
}

impl Told {
    fn changes(&mut self, watched: &Watched, mut steps: Vec<Step>) -> (Vec<String>, Document) {
        for step in &steps {
            match step {
                Step::TestStarted(test) => {
                    let key = (test.worker.clone(), test.nodeid.clone(), test.attempt);
                    self.running.insert(key);
                }
                Step::TestFinished {
                    nodeid,
                    attempt,
                    worker,
                    ..
                } => {
                    let key = (worker.clone(), nodeid.clone(), *attempt);
                    self.running.remove(&key);
                }
                _ => {}
            }
        }
        let running = &watched.run.running;
        if self.running.len() != running.len() {
            let gone = self.running.extract_if(|key| !running.contains_key(key));
            steps.extend(gone.map(Step::gone));
        }
        let mut document = Document::still(watched);
        let new = keys(&mut document);
        let mut set: Map<String, Value> = new
            .iter()
            .filter(|(key, value)| self.keys.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        self.keys = new;
        let mut changes = Vec::new();
        let mut chunks = steps.chunks(STEPS).peekable();
        while let Some(events) = chunks.next() {
            let last = chunks.peek().is_none();
            let set = if last {
                std::mem::take(&mut set)
            } else {
                Map::new()
            };
            changes.extend(serde_json::to_string(&RunChange { events, set }).ok());
        }
        if !set.is_empty() {
            let only = RunChange { events: &[], set };
            changes.extend(serde_json::to_string(&only).ok());
        }
        (changes, document)
    }
}

fn keys(document: &mut Document) -> Map<String, Value> {
    match document.without_lists() {
        Ok(Value::Object(keys)) => keys,
        _ => Map::new(),
    }
}

fn render(document: Document) -> Render {
    Arc::new(move || serde_json::to_string(&document).unwrap_or_default())
}

#[cfg(test)]
mod tests;
