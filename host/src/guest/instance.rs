//! One instance of a sink: calls that end, and errors that say why they did not. What it
//! says is told to people and written down, so its secrets are taken out here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Store, Trap};

use super::bindings::SinkGuest;
use super::bindings::events::{Envelope, Session};
use super::bindings::exported::{Misconfiguration, Need, Opening, Refusal, Undone};
use super::call_watch;
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::capability::state::{KeyValues, StateFull, Write};
use super::limits::{Limits, Refused};
use super::module::Module;
use super::store::{self, CallTooLong, GuestData};
use crate::secrets::scrubbed;
use crate::text::brief;
use crate::topic::Publisher;

/// How much longer than `limit.call` to wait for a call that does not end: what
/// waits in the host is told of the deadline before.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// How much longer than that its thread may be in it before another one takes over.
const STUCK: Duration = Duration::from_secs(1);
/// Needs that a guest may have, and bytes of a text in one.
const NEEDS: usize = 64;
const NEED_BYTES: usize = 4096;

/// A call that did not return. The instance is of no use after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("it asked for more memory than limit.memory, {}", bytesize::ByteSize(*.0))]
    Memory(u64),
    #[error("it asked for more table elements than a sink may have")]
    Table,
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
    /// Starts an instance with the values that `state` had at the last commit,
    /// and with what is left of `log`.
    ///
    /// # Errors
    ///
    /// Where a granted folder cannot be opened or the guest fails while it starts.
    pub async fn start(
        module: &Module,
        limits: &Limits,
        values: BTreeMap<String, Vec<u8>>,
        log: Arc<LogBudget>,
        http: HttpGate,
    ) -> Result<Self, CallError> {
        let values = KeyValues::new(values, limits.state);
        let data = GuestData::new(limits, values, log, http)
            .map_err(|error| CallError::Trap(format!("{error:#}")))?;
        let mut store = store::store(&module.engine, data, limits);
        store::start_clock(&mut store, limits.call);
        let guest = module.linked.instantiate_async(&mut store);
        let guest = match within(limits.call, guest).await {
            Some(Ok(guest)) => guest,
            Some(Err(error)) => return Err(explain(&store, limits, &error)),
            None => return Err(CallError::Call(limits.call)),
        };
        Ok(Self {
            store,
            guest,
            limits: limits.clone(),
        })
    }

    /// From here on what the guest publishes goes somewhere.
    pub fn publish_through(&mut self, publisher: Publisher) {
        self.store.data_mut().publisher = Some(publisher);
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
        let answer = self
            .call(async |guest, store| {
                guest
                    .pytest_host_sinks_sink()
                    .call_configure(store, settings)
                    .await
            })
            .await?;
        Ok(answer.map_err(shorten).and_then(check))
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
        let answer = self
            .call(async |guest, store| {
                guest
                    .pytest_host_sinks_sink()
                    .call_open(store, session, why)
                    .await
            })
            .await?;
        Ok(answer.map_err(told))
    }

    /// Delivers a batch; answers with the events that are not done.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn handle(&mut self, batch: &[Envelope]) -> Result<Vec<Undone>, CallError> {
        let mut undone = self
            .call(async |guest, store| {
                guest
                    .pytest_host_sinks_sink()
                    .call_handle(store, batch)
                    .await
            })
            .await?;
        for undone in &mut undone {
            let (Refusal::Retry((_, why)) | Refusal::Reject(why)) = &mut undone.why;
            *why = told(std::mem::take(why));
        }
        Ok(undone)
    }

    /// Ends the session.
    ///
    /// # Errors
    ///
    /// Where the call does not return.
    pub async fn close(&mut self) -> Result<Result<(), String>, CallError> {
        let answer = self
            .call(async |guest, store| guest.pytest_host_sinks_sink().call_close(store).await)
            .await?;
        Ok(answer.map_err(told))
    }

    /// Closes what the guest has open, with a word to the other side.
    pub async fn hang_up(&mut self) {
        self.store.data_mut().websockets.close().await;
    }

    /// Bytes of its memories together: they do not shrink.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.store.data().memory.used()
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

    /// Bytes of what `state` has committed.
    #[must_use]
    pub fn state_size(&self) -> u64 {
        self.store.data().values.size()
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
        match within(self.limits.call, called).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(explain(&self.store, &self.limits, &error)),
            None => Err(CallError::Call(self.limits.call)),
        }
    }
}

/// What a call comes to, or none where it waits in the host for too long. Where it
/// does not even wait, but keeps the thread, the thread's watch tells.
async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    let patience = limit.saturating_add(GRACE);
    let overdue = Instant::now().checked_add(patience.saturating_add(STUCK));
    let _entered = overdue.map(call_watch::enter);
    tokio::time::timeout(patience, call).await.ok()
}

/// What a guest says, as people may read it. Whole secrets are taken out before it is
/// cut.
fn told(text: String) -> String {
    brief(&scrubbed(text))
}

fn shorten(wrong: Misconfiguration) -> Misconfiguration {
    Misconfiguration {
        key: wrong.key.map(told),
        problem: told(wrong.problem),
    }
}

/// Needs that a person could read, each of which may be in a complaint.
fn check(needs: Vec<Need>) -> Result<Vec<Need>, Misconfiguration> {
    let length = |need: &Need| match need {
        Need::Http(text) | Need::Read(text) | Need::Write(text) => text.len(),
    };
    if needs.len() <= NEEDS && needs.iter().all(|need| length(need) <= NEED_BYTES) {
        return Ok(needs);
    }
    Err(Misconfiguration {
        key: None,
        problem: format!(
            "asks to be granted more than {NEEDS} things, or one that is longer than {NEED_BYTES} bytes"
        ),
    })
}

pub(super) fn explain(
    store: &Store<GuestData>,
    limits: &Limits,
    error: &wasmtime::Error,
) -> CallError {
    let data = store.data();
    if error.is::<CallTooLong>() {
        CallError::Call(limits.call)
    } else if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        if Instant::now() >= data.call_ends {
            CallError::Call(limits.call)
        } else {
            CallError::Computing(limits.computing)
        }
    } else if let Some(full) = error.downcast_ref::<StateFull>() {
        CallError::State(full.to_string())
    } else {
        match data.memory.refused() {
            Some(Refused::Memory) => CallError::Memory(limits.memory),
            Some(Refused::Table) => CallError::Table,
            None => {
                let words = data.printed.last_words();
                CallError::Trap(told(
                    words.unwrap_or_else(|| error.root_cause().to_string()),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests;
