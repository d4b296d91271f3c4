//! What commands say to a core on a control connection, and its answers: see
//! `docs/protocol.md`, *Control*. Each line has one answer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pause::{Ask, Pause};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromControl {
    Pauses,
    /// A module is to take over a sink of a run.
    Swap {
        run: String,
        sink: String,
        /// Absolute.
        module: PathBuf,
    },
    AskPause {
        pause: String,
        #[serde(flatten)]
        what: Ask,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToControl {
    Pauses {
        pauses: Vec<OpenPause>,
    },
    Accepted {
        value: Value,
    },
    /// The module has taken over.
    Swapped {
        run: String,
        sink: String,
    },
    Refused {
        message: String,
    },
}

/// A pause that waits, in a run of this core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenPause {
    pub run: String,
    #[serde(flatten)]
    pub pause: Pause,
    /// Seconds to the deadline.
    pub left: f64,
}
