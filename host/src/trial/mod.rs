//! Tries a sink out: recorded sessions are fed to it, it is killed on the way, and what it
//! wrote and sent is looked at. Nothing leaves this machine, and nothing is written where it
//! would be in a run.

pub mod bench;
mod checks;
mod effects;
mod play;
mod recorder;
pub mod recording;
mod stage;
mod subject;

pub use checks::{Check, Tested, test};
pub use effects::{Effects, Sent};
pub use recording::Recording;
pub use stage::StageError;
pub use subject::Subject;
