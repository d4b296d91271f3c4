//! What is answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::job;

/// A job.
#[derive(Serialize, ToSchema)]
pub struct Job {
    id: String,
    state: JobState,
    /// The process's exit code, or -n where the signal n ended it.
    returncode: Option<i32>,
    /// What the process printed, once it has ended; where it is longer than 1 MiB, its
    /// beginning and its end.
    text: Option<String>,
}

/// How far a job is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits for others to end, or it collects.
    Created,
    /// It has collected.
    Collected,
    /// Its process runs.
    InProgress,
    /// Its process was told to end.
    Terminating,
    /// It is over.
    Done,
}

impl From<job::State> for JobState {
    fn from(state: job::State) -> Self {
        match state {
            job::State::Created => Self::Created,
            job::State::Collected => Self::Collected,
            job::State::InProgress => Self::InProgress,
            job::State::Terminating => Self::Terminating,
            job::State::Done => Self::Done,
        }
    }
}

impl From<job::Job> for Job {
    fn from(job: job::Job) -> Self {
        Self {
            id: job.id,
            state: job.state.into(),
            returncode: job.returncode,
            text: job.text,
        }
    }
}
