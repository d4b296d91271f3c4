//! A guest that may answer pauses: world `pause-policy-guest`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bindings::events::{Decision, PauseRequest};
use super::bindings::policy::{PausePolicyGuest, PausePolicyGuestPre};
use super::capability::Denials;
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::capability::state::KeyValues;
use super::instance::{CallError, GRACE, explain};
use super::module::{self, World};
use super::store::{self, GuestData};
use crate::config::{BadInput, SinkSpec};
use crate::text::one_line;

const WORLD: World = World {
    interface: "pause-policy",
    what: "pause policy",
    name: "pause-policy-guest",
};

/// A policy that has accepted its settings. It is granted nothing but the log.
#[derive(Clone)]
pub struct Policy {
    spec: SinkSpec,
    linked: PausePolicyGuestPre<GuestData>,
}

impl Policy {
    /// Loads a policy and hands its settings over, to hear whether they are right.
    ///
    /// # Errors
    ///
    /// Everything that can be wrong with a module and its settings.
    pub fn load(spec: SinkSpec) -> Result<Self, BadInput> {
        let bad = |problem: &dyn std::fmt::Display| BadInput(format!("pause.policy: {problem}"));
        let component = module::component(&spec.module, spec.sha256.as_deref(), &WORLD)
            .map_err(|error| bad(&error))?;
        let linked = component
            .link(PausePolicyGuestPre::new)
            .map_err(|error| bad(&error))?;
        let policy = Self { spec, linked };
        policy
            .with_instance(async |_, _| Ok(()))
            .map_err(|error| bad(&error))?;
        Ok(policy)
    }

    /// What is put down as whoever answered.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What the policy says, or nothing where it leaves the pause to people. Takes
    /// as long as its limits allow.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub fn decide(&self, request: &PauseRequest) -> Result<Option<Decision>, String> {
        self.with_instance(async |guest, store| {
            guest
                .pytest_host_sinks_pause_policy()
                .call_decide(store, request)
                .await
        })
    }

    /// A new instance for each call: a policy remembers nothing.
    fn with_instance<T>(
        &self,
        call: impl AsyncFnOnce(
            &PausePolicyGuest,
            &mut wasmtime::Store<GuestData>,
        ) -> wasmtime::Result<T>,
    ) -> Result<T, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let limits = &self.spec.limits;
        let http = HttpGate::new(Arc::default(), Denials::new(&self.spec.name));
        let values = KeyValues::new(BTreeMap::new(), limits.state);
        let log = Arc::new(LogBudget::new(limits.log));
        let data =
            GuestData::new(limits, values, log, http).map_err(|error| format!("{error:#}"))?;
        let engine = self.linked.engine().clone();
        let mut store = store::store(&engine, data, limits);
        store::start_clock(&mut store, limits.call);
        let settings = self.spec.settings_json();
        runtime.block_on(async {
            let all = async {
                let guest = self.linked.instantiate_async(&mut store).await?;
                let policy = guest.pytest_host_sinks_pause_policy();
                match policy.call_configure(&mut store, &settings).await? {
                    Ok(()) => call(&guest, &mut store).await.map(Ok),
                    Err(wrong) => Ok(Err(one_line(&wrong))),
                }
            };
            match tokio::time::timeout(limits.call + GRACE, all).await {
                Ok(Ok(said)) => said,
                Ok(Err(error)) => Err(explain(&store, limits, &error).to_string()),
                Err(_) => Err(CallError::Call(limits.call).to_string()),
            }
        })
    }
}
