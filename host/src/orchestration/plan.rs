//! The timeline of a description, in virtual time: every event ends as soon as it has
//! started.

use crate::guest::bindings::orchestrator::{Completion, Step};
use crate::guest::instance::CallError;
use crate::guest::orchestrator::{Instant, Orchestrator};

/// Calls that lead nowhere: an orchestrator that never ends, or never moves on.
const IDLE: u32 = 10_000;

/// Why there is no timeline to the end.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the orchestrator: {0}")]
    Call(#[from] CallError),
    #[error("the orchestrator waits for ever, and gives no verdict")]
    Endless,
}

/// Calls `each` with every step up to the verdict, and its time, as long as it says so.
///
/// # Errors
///
/// An orchestrator that does not work, or comes to no end.
pub fn walk(
    guest: &mut Orchestrator,
    mut each: impl FnMut(Instant, &Step) -> bool,
) -> Result<(), PlanError> {
    let (mut now, mut idle) = (0, 0);
    let mut completed = Vec::new();
    loop {
        let step = guest.advance(now, &completed, false)?;
        if !each(now, &step) || step.verdict.is_some() {
            return Ok(());
        }
        completed = step
            .start
            .iter()
            .map(|action| Completion {
                instance: action.instance,
                ok: true,
                message: String::new(),
            })
            .collect();
        if completed.is_empty() {
            let wake_at = step.wake_at.ok_or(PlanError::Endless)?;
            idle = if wake_at > now { 0 } else { idle + 1 };
            now = now.max(wake_at);
        } else {
            idle += 1;
        }
        if idle > IDLE {
            return Err(PlanError::Endless);
        }
    }
}
