//! Why a worker ends before its work is done.

use crate::journal::JournalError;

/// What a worker does not go on after, or not with the instance that it has.
pub enum Ending {
    Stopped,
    /// The sink is no part of the run any more.
    Removed,
    Failed(String),
    /// The journal cannot be written for now: a full disk may have room again. What
    /// the instance did last was not committed, so that another one has to go on.
    NoRoom(String),
}

impl From<JournalError> for Ending {
    fn from(error: JournalError) -> Self {
        if error.is_of_the_disk() {
            Self::NoRoom(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}
