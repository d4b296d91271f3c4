//! What is told of a sink that has a thread stuck in a call.

use tokio::sync::watch;

use super::report::{Phase, Standing};
use crate::config::SinkSpec;
use crate::journal::{Journal, Progress};

/// What happens to a sink's threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// One was abandoned, and another goes on.
    Replaced,
    /// No other one will.
    Last,
}

impl Loss {
    /// Writes it down for whoever goes on, here or elsewhere, and gives the sink
    /// up where nobody does.
    pub fn tell(self, spec: &SinkSpec, journal: &dyn Journal, standing: &watch::Sender<Standing>) {
        let name = &spec.name;
        let limit = humantime::format_duration(spec.limits.call);
        let why =
            format!("it does not come back from a file call, for longer than limit.call, {limit}");
        let progress = Progress {
            error: Some(why.clone()),
            ..Progress::default()
        };
        if let Err(error) = journal.commit(name, &progress) {
            tracing::error!(sink = %name, "{error}");
        }
        match self {
            Self::Replaced => {
                tracing::error!(sink = %name, "starting anew on another thread: {why}");
            }
            Self::Last => {
                tracing::error!(sink = %name, "given up: {why}");
                standing.send_modify(|standing| {
                    standing.phase = Phase::Failed;
                    standing.error = Some(why);
                });
            }
        }
    }
}
