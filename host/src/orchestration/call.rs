//! Calls of an orchestrator, as the journal has them: whoever makes them again gets an
//! orchestrator that is where this one was.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::guest::bindings::orchestrator::Completion;
use crate::guest::orchestrator::Instant;
use crate::journal::{Journal, JournalError};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub now: Instant,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completed: Vec<Completion>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub killed: bool,
}

/// The calls of one orchestration.
pub struct Calls {
    orchestration: String,
    journal: Arc<dyn Journal>,
    /// How many there are.
    pub made: u64,
}

impl Calls {
    pub fn new(orchestration: &str, journal: Arc<dyn Journal>) -> Self {
        Self {
            orchestration: orchestration.to_owned(),
            journal,
            made: 0,
        }
    }

    /// Those that were made before this core was there.
    pub fn before(&self) -> Result<Vec<Call>, JournalError> {
        let texts = self.journal.calls(&self.orchestration)?;
        let calls = texts.iter().map(|text| serde_json::from_str(text));
        Ok(calls.collect::<Result<_, _>>()?)
    }

    /// Before anything comes of it.
    pub fn note(&self, call: &Call) {
        let noted = serde_json::to_string(call)
            .map_err(JournalError::from)
            .and_then(|text| {
                self.journal
                    .note_call(&self.orchestration, self.made + 1, &text)
            });
        if let Err(error) = noted {
            // The test goes on all the same.
            tracing::error!("an orchestration could not be taken up from here on: {error}");
        }
    }
}
