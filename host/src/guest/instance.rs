//! One instance of a sink: calls that end, and errors that say why they did not.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::{Store, Trap};

use super::bindings::SinkGuest;
use super::bindings::events::{Envelope, Session};
use super::bindings::exported::{Misconfiguration, Need, Opening, Undone};
use super::capability::http::HttpGate;
use super::capability::state::{KeyValues, StateFull, Write};
use super::limits::Limits;
use super::module::Module;
use super::store::{self, CallTooLong, GuestData};

/// How much longer than `limit.call` to wait for a call that does not end: what
/// waits in the host is told of the deadline before.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A call that did not return. The instance is of no use after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("it asked for more memory than limit.memory, {}", bytesize::ByteSize(*.0))]
    Memory(u64),
    #[error("it computed longer than limit.computing, {}", humantime::format_duration(*.0))]
    Computing(Duration),
    #[error("its call took longer than limit.call, {}", humantime::format_duration(*.0))]
    Call(Duration),
    #[error("{0}")]
    State(String),
    #[error("it trapped: {0}")]
    Trap(String),
}

/// A running guest. Every method but `values` fails for good once one has failed.
pub struct Instance {
    store: Store<GuestData>,
    guest: SinkGuest,
    limits: Limits,
}

impl Instance {
    /// Starts an instance with the values that `state` had at the last commit.
    ///
    /// # Errors
    ///
    /// Where a granted folder cannot be opened or the guest fails while it starts.
    pub async fn start(
        module: &Module,
        limits: &Limits,
        values: BTreeMap<String, Vec<u8>>,
        http: HttpGate,
    ) -> Result<Self, CallError> {
        let values = KeyValues::new(values, limits.state);
        let data = GuestData::new(limits, values, http)
            .map_err(|error| CallError::Trap(format!("{error:#}")))?;
        let mut store = store::store(&module.engine, data, limits);
        store::start_clock(&mut store, limits.call);
        let guest = module.linked.instantiate_async(&mut store);
        let guest = match tokio::time::timeout(limits.call + GRACE, guest).await {
            Ok(Ok(guest)) => guest,
            Ok(Err(error)) => return Err(explain(&store, limits, &error)),
            Err(_) => return Err(CallError::Call(limits.call)),
        };
        Ok(Self {
            store,
            guest,
            limits: limits.clone(),
        })
    }

    /// Hands over the settings; answers with the needs, or with what is wrong.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn configure(
        &mut self,
        settings: &str,
    ) -> Result<Result<Vec<Need>, Misconfiguration>, CallError> {
        self.call(async |guest, store| {
            guest
                .pytest_host_sinks_sink()
                .call_configure(store, settings)
                .await
        })
        .await
    }

    /// Begins a session, or goes on with one.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn open(
        &mut self,
        session: &Session,
        why: Opening,
    ) -> Result<Result<(), String>, CallError> {
        self.call(async |guest, store| {
            guest
                .pytest_host_sinks_sink()
                .call_open(store, session, why)
                .await
        })
        .await
    }

    /// Delivers a batch; answers with the events that are not done.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn handle(&mut self, batch: &[Envelope]) -> Result<Vec<Undone>, CallError> {
        self.call(async |guest, store| {
            guest
                .pytest_host_sinks_sink()
                .call_handle(store, batch)
                .await
        })
        .await
    }

    /// Ends the session.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn close(&mut self) -> Result<Result<(), String>, CallError> {
        self.call(async |guest, store| guest.pytest_host_sinks_sink().call_close(store).await)
            .await
    }

    /// What the last call wrote to `state`.
    #[must_use]
    pub fn state_writes(&self) -> Vec<Write> {
        self.store.data().values.writes()
    }

    /// The journal has what the last call wrote.
    pub fn state_committed(&mut self) {
        self.store.data_mut().values.committed();
    }

    /// The values as they were last committed, for the next instance.
    #[must_use]
    pub fn into_state(self) -> BTreeMap<String, Vec<u8>> {
        self.store.into_data().values.into_committed()
    }

    async fn call<T>(
        &mut self,
        call: impl AsyncFnOnce(&SinkGuest, &mut Store<GuestData>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        store::start_clock(&mut self.store, self.limits.call);
        let called = call(&self.guest, &mut self.store);
        match tokio::time::timeout(self.limits.call + GRACE, called).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(explain(&self.store, &self.limits, &error)),
            Err(_) => Err(CallError::Call(self.limits.call)),
        }
    }
}

pub(super) fn explain(
    store: &Store<GuestData>,
    limits: &Limits,
    error: &wasmtime::Error,
) -> CallError {
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        CallError::Computing(limits.computing)
    } else if error.is::<CallTooLong>() {
        CallError::Call(limits.call)
    } else if let Some(full) = error.downcast_ref::<StateFull>() {
        CallError::State(full.to_string())
    } else if store.data().memory.refused() {
        CallError::Memory(limits.memory)
    } else {
        CallError::Trap(error.root_cause().to_string())
    }
}
