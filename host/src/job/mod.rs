//! Jobs: pytest runs that are started, watched and stopped from outside. What they
//! promise is in `docs/jobs.md`.
//!
//! ```text
//! <state>/jobs/
//!   lock             held by the host whose jobs these are
//!   nightly/         one folder a job
//!     job.json       what it is and how far it is; renamed into place
//!     run-1/         one folder for each time its process ran
//!       order.json   what the shim is to run
//!       lock         held as long as the shim lives
//!       stop         there once the job is to end
//!       output       what the process printed: the beginning,
//!       output.N     and what came last, from the byte N on
//!       exit.json    how it ended
//! ```
//!
//! A process is the child of a shim (`host job-shim`), which outlives the host. Whatever
//! the two say to one another is in these files, so a host that was started again goes on
//! where the last one was.

mod allow;
mod arguments;
mod error;
mod folder;
mod jobs;
mod model;
mod output;
mod queue;
mod record;
mod settings;
mod shim;
mod text;
mod view;

pub use allow::Allow;
pub use error::{JobError, Step, Unfit};
pub use jobs::Jobs;
pub use model::{Action, Job, Message, NewJob, State};
pub use output::{Chunk, Output};
pub use settings::Settings;
pub use shim::run as run_shim;

#[cfg(test)]
mod tests;
