//! Sessions in: from the segments of a run's processes to its journal.

mod alive;
mod convert;
mod follow;
mod normalise;
mod process;

pub use alive::is_running;
pub use convert::pause_kind;
pub use follow::{Command, Follower};
pub use normalise::Normaliser;
