//! A guest that orchestrates tests: world `orchestrator-guest`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Runtime;
use wasmtime::Store;

use super::bindings::orchestrator::{Completion, OrchestratorGuest, OrchestratorGuestPre, Step};
use super::capability::Denials;
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::capability::state::KeyValues;
use super::instance::{CallError, GRACE, explain};
use super::limits::Limits;
use super::module::{self, ModuleError, World};
use super::store::{self, GuestData};
use crate::config::ModuleSource;
use crate::text::one_line;

const WORLD: World = World {
    interface: "orchestrator",
    what: "orchestrator",
    name: "orchestrator-guest",
};

/// Nanoseconds since the orchestration began.
pub type Instant = u64;

/// Why there is no orchestrator for a description.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the orchestrator: {0}")]
    Module(#[from] ModuleError),
    /// Begins with line and column, where it has a place.
    #[error("{0}")]
    Description(String),
    #[error("the orchestrator: {0}")]
    Call(#[from] CallError),
    #[error("the orchestrator: {0}")]
    Io(#[from] std::io::Error),
}

/// One that has taken a description. It is granted nothing but the log, and owned by
/// the thread that calls it.
pub struct Orchestrator {
    runtime: Runtime,
    store: Store<GuestData>,
    guest: OrchestratorGuest,
    limits: Limits,
}

impl Orchestrator {
    /// Loads a component and hands the description over.
    ///
    /// # Errors
    ///
    /// Everything that can be wrong with either.
    pub fn load(
        source: &ModuleSource,
        description: &str,
        hours: Option<f64>,
        seed: u64,
    ) -> Result<Self, LoadError> {
        let component = module::component(source, None, &WORLD)?;
        let linked = component.link(OrchestratorGuestPre::new)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let limits = Limits::default();
        let http = HttpGate::new(Arc::default(), Denials::new("orchestrator"));
        let values = KeyValues::new(BTreeMap::new(), limits.state);
        let log = Arc::new(LogBudget::new(limits.log));
        let trap = |error: wasmtime::Error| CallError::Trap(format!("{error:#}"));
        let data = GuestData::new(&limits, values, log, http).map_err(trap)?;
        let mut store = store::store(linked.engine(), data, &limits);
        store::start_clock(&mut store, limits.call);
        let guest = runtime
            .block_on(within(&limits, linked.instantiate_async(&mut store)))
            .ok_or(CallError::Call(limits.call))?;
        let guest = match guest {
            Ok(guest) => guest,
            Err(error) => return Err(explain(&store, &limits, &error).into()),
        };
        let mut orchestrator = Self {
            runtime,
            store,
            guest,
            limits,
        };
        let loaded = orchestrator.call(async |guest, store| {
            guest
                .pytest_host_sinks_orchestrator()
                .call_load(store, description, hours, seed)
                .await
        })?;
        loaded.map_err(|wrong| LoadError::Description(one_line(&wrong)))?;
        Ok(orchestrator)
    }

    /// What is to be done at `now`, when these have ended.
    ///
    /// # Errors
    ///
    /// Where the call does not return; the orchestrator is of no use after it.
    pub fn advance(
        &mut self,
        now: Instant,
        completed: &[Completion],
        killed: bool,
    ) -> Result<Step, CallError> {
        self.call(async |guest, store| {
            guest
                .pytest_host_sinks_orchestrator()
                .call_advance(store, now, completed, killed)
                .await
        })
    }

    fn call<T>(
        &mut self,
        call: impl AsyncFnOnce(&OrchestratorGuest, &mut Store<GuestData>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        store::start_clock(&mut self.store, self.limits.call);
        let called = within(&self.limits, call(&self.guest, &mut self.store));
        match self.runtime.block_on(called) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(explain(&self.store, &self.limits, &error)),
            None => Err(CallError::Call(self.limits.call)),
        }
    }
}

async fn within<T>(limits: &Limits, call: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limits.call + GRACE, call).await.ok()
}

impl std::fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orchestrator")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::bindings::orchestrator::Verdict;
    use crate::guest::builtin;

    fn built_in() -> ModuleSource {
        ModuleSource::Builtin(builtin::ORCHESTRATION.into())
    }

    #[test]
    fn the_built_in_one_orchestrates() {
        let text = r#"{"test_name": "t", "total_seconds": 2, // two
            "events": [{"name": "a", "interval_sec": 1.5, "params": {"x": 1}}]}"#;
        let mut guest = Orchestrator::load(&built_in(), text, None, 0).unwrap();
        let first = guest.advance(0, &[], false).unwrap();
        assert_eq!(first.start[0].name, "a");
        assert_eq!(first.start[0].params, r#"{"x":1}"#);
        assert_eq!(first.wake_at, Some(1_500_000_000));
        let done = Completion {
            instance: first.start[0].instance,
            ok: true,
            message: String::new(),
        };
        let last = guest.advance(2_000_000_000, &[done], true).unwrap();
        assert!(matches!(last.verdict, Some(Verdict::Failed(_))));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let wrong = Orchestrator::load(&built_in(), "{\n  \"a\": 1}", None, 0).unwrap_err();
        assert_eq!(wrong.to_string(), "2:3: unknown key \"a\"");
        let sink = ModuleSource::Builtin("rt".into());
        let wrong = Orchestrator::load(&sink, "{}", None, 0).unwrap_err();
        insta::assert_snapshot!(wrong, @"the orchestrator: the built-in rt exports no pytest-host:sinks/orchestrator@0.1.0, so it is no orchestrator (world orchestrator-guest)");
    }
}
