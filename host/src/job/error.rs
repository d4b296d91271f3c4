//! Why something was not done.

use std::io;

use serde::Serialize;

/// One variant for each status code that a request can be answered with.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// 404. The words are pytest-relay-run's, which leave out the "not".
    #[error("Job with ID '{0}' found")]
    NotFound(String),
    /// 409
    #[error("Job with ID {0} already exists")]
    Exists(String),
    /// 400
    #[error(
        "The provided job ID '{id}' does not match the session ID '{session}' provided in the job's argument list."
    )]
    Mismatch { id: String, session: String },
    /// 403
    #[error("{0}")]
    Forbidden(String),
    /// 429
    #[error("{0} jobs wait already")]
    Full(usize),
    /// 422
    #[error("{0}")]
    Unfit(Unfit),
    /// 503
    #[error("the jobs' folder cannot be used: {0}")]
    Store(#[from] io::Error),
}

/// What cannot be used of a request, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{msg}")]
pub struct Unfit {
    pub r#type: &'static str,
    pub loc: Vec<Step>,
    pub msg: String,
}

/// A key, or an index into a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl JobError {
    /// A value in the body that is of the right type and cannot be used all the same.
    pub(super) fn unfit(within: impl IntoIterator<Item = Step>, problem: &str) -> Self {
        Self::Unfit(Unfit {
            r#type: "value_error",
            loc: std::iter::once("body".into()).chain(within).collect(),
            msg: format!("Value error, {problem}"),
        })
    }
}
