//! The policy guest answers a pause in place of a person, or leaves it to them.

use std::io;
use std::sync::PoisonError;

use super::server::Core;
use crate::config::BadInput;
use crate::guest::bindings::events::{Decision as Decided, PauseRequest};
use crate::guest::policy::Policy;
use crate::intake::pause_kind;
use crate::protocol::pause::{Ask, Decision, Pause};

impl Core {
    /// Loads the policy that the configuration names, once.
    pub(super) async fn load_policy(&self) -> io::Result<Result<(), BadInput>> {
        if self.policy().is_some() {
            return Ok(Ok(()));
        }
        let spec = match self.config.policy() {
            Ok(Some(spec)) => spec,
            Ok(None) => return Ok(Ok(())),
            Err(bad) => return Ok(Err(bad)),
        };
        let loaded = tokio::task::spawn_blocking(move || Policy::load(spec)).await;
        Ok(loaded.map_err(io::Error::other)?.map(|policy| {
            *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy);
        }))
    }

    /// Asks the policy, on a thread of its own: meanwhile anybody else may answer.
    pub(super) fn consult(&self, pause: &Pause) {
        let Some(policy) = self.policy() else { return };
        let pauses = self.pauses.clone();
        let request = request(pause);
        tokio::spawn(async move {
            let id = request.id.clone();
            let name = policy.name().to_owned();
            let decided = tokio::task::spawn_blocking(move || policy.decide(&request)).await;
            match decided {
                Ok(Ok(Some(decided))) => {
                    let ask = Ask::Resume {
                        by: name,
                        decision: decision(decided),
                    };
                    let answer = pauses.ask(&id, ask).await;
                    if let Some(reason) = answer.reason {
                        tracing::info!("the policy's answer to {id} was refused: {reason}");
                    }
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!("pause.policy failed: {error}"),
                Err(error) => tracing::warn!("pause.policy failed: {error}"),
            }
        });
    }

    fn policy(&self) -> Option<Policy> {
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        policy.clone()
    }
}

fn request(pause: &Pause) -> PauseRequest {
    PauseRequest {
        id: pause.id.clone(),
        kind: pause_kind(pause.kind),
        nodeid: pause.nodeid.clone(),
        task: pause.task.clone(),
        timeout: pause.timeout,
        original_failure: pause.original_failure.clone(),
        created: pause.created,
    }
}

fn decision(decided: Decided) -> Decision {
    Decision {
        failure_reason: decided.failure_reason,
        result: decided.outcome,
        reason: decided.reason,
    }
}
