//! The host's own topics: whoever subscribes gets the state as it is, and after that
//! what changes. See `docs/live.md`.

mod board;
mod jobs;
mod list;
mod output;
mod pauses;
mod run;
mod runs;

use std::sync::Arc;

use tokio::sync::Notify;

pub use board::{Joined, Resume};
pub use jobs::JobItem;
use jobs::JobTopics;
pub use list::ListChange;
pub use output::{OutputChange, OutputState};
pub use pauses::PauseItem;
use pauses::Pauses;
pub use run::RunChange;
use runs::Runs;

use crate::job::Jobs;
use crate::state::StateFolder;
use crate::topic::{Refused, Start, Topics};

/// How long something is still followed after its last subscriber has gone: most of
/// those come back.
const LINGER: std::time::Duration = std::time::Duration::from_secs(30);

/// Why nobody can subscribe to that.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    #[error("there is no run {0}")]
    Run(String),
    #[error("there is no job {0}")]
    Job(String),
    #[error(
        "there is no topic {0}: the host's own are jobs, runs, pauses, run/ID and job/ID/output, and a sink's have 1 to 128 letters, digits and . _ - /"
    )]
    Topic(String),
    #[error("it could not be read in time; try again")]
    Late,
    #[error("nothing can be subscribed to: {0}")]
    Refused(#[from] Refused),
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A cheap handle on all that can be subscribed to.
#[derive(Clone)]
pub struct Live {
    topics: Topics,
    runs: Arc<Runs>,
    pauses: Arc<Pauses>,
    jobs: Arc<JobTopics>,
}

impl Live {
    /// Of the runs in `state`, of `jobs`, and of guests that publish on `topics`.
    #[must_use]
    pub fn new(topics: Topics, state: StateFolder, jobs: Jobs) -> Self {
        Self {
            runs: Runs::new(topics.clone(), state.clone()),
            pauses: Pauses::new(topics.clone(), state),
            jobs: JobTopics::new(topics.clone(), jobs),
            topics,
        }
    }

    /// Subscribes to any topic. A run may have to be read first.
    ///
    /// # Errors
    ///
    /// Where there is no such topic, or it cannot be read.
    pub async fn subscribe(
        &self,
        name: String,
        resume: Option<Resume>,
        bell: Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        let live = self.clone();
        let join = move || live.join(&name, resume.as_ref(), &bell);
        tokio::task::spawn_blocking(join)
            .await
            .map_err(std::io::Error::other)?
    }

    fn join(
        &self,
        name: &str,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        match name {
            "runs" => self.runs.join_list(resume, bell),
            "pauses" => self.pauses.join(resume, bell),
            "jobs" => self.jobs.join_list(resume, bell),
            _ => match (name.strip_prefix("run/"), job(name)) {
                (Some(id), _) => self.runs.join(id, resume, bell),
                (_, Some(id)) => self.jobs.join_output(id, resume, bell),
                _ if crate::topic::is_of_the_host(name) => Err(NotThere::Topic(name.to_owned())),
                _ => self.join_guests(name, resume, bell),
            },
        }
    }

    fn join_guests(
        &self,
        name: &str,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        if !crate::topic::is_valid(name) {
            return Err(NotThere::Topic(crate::text::brief(name)));
        }
        let start = resume.map_or(Start::Now, |resume| Start::From(resume.from));
        let subscription = self.topics.subscribe(name, start, Arc::clone(bell))?;
        Ok(Joined::to_guests(subscription, resume))
    }
}

/// The id of `job/ID/output`; it may be empty, or have slashes.
fn job(name: &str) -> Option<&str> {
    name.strip_prefix("job/")?.strip_suffix("/output")
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
