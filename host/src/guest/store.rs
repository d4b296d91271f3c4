//! What belongs to one instance of a guest, and the clock its calls run against.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store};
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::bindings::events::Level;
use super::capability::files::{FolderView, Folders};
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::capability::printed::Printed;
use super::capability::state::KeyValues;
use super::capability::websocket::WebSockets;
use super::capability::{ClosedSockets, WasiHttpGate};
use super::engine::{EPOCH_TICK, ticks};
use super::limits::{Limits, MemoryLimiter, RESOURCES};
use crate::topic::Publisher;

/// In place of a time that no clock can tell: longer than any run.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// The data of a guest's store.
pub struct GuestData {
    pub sink: Arc<str>,
    pub values: KeyValues,
    pub log: Arc<LogBudget>,
    pub http: HttpGate,
    pub websockets: WebSockets,
    /// None before a session is open.
    pub publisher: Option<Publisher>,
    /// When the call that runs now has used up its wall clock.
    pub call_ends: Instant,
    pub memory: MemoryLimiter,
    /// Its standard error.
    pub printed: Printed,
    folders: Folders,
    wasi: WasiCtx,
    wasi_http: WasiHttpCtx,
    wasi_http_gate: WasiHttpGate,
    table: ResourceTable,
}

/// A call used up its wall clock, by computing between many host calls.
#[derive(Debug, thiserror::Error)]
#[error("the call took longer than limit.call")]
pub struct CallTooLong;

impl GuestData {
    /// Data for an instance that may do what `http` and its grants say.
    ///
    /// # Errors
    ///
    /// Where a granted folder cannot be opened.
    pub fn new(
        limits: &Limits,
        values: KeyValues,
        log: Arc<LogBudget>,
        http: HttpGate,
    ) -> wasmtime::Result<Self> {
        let printed = Printed::new(&http.denials.sink, &log, Level::Warning);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Ok(Self {
            sink: Arc::clone(&http.denials.sink),
            values,
            publisher: None,
            call_ends: Instant::now(),
            memory: MemoryLimiter::new(limits.memory),
            folders: Folders::open(&http.grants.folders, &http.denials)?,
            wasi: closed(&http.denials.sink, &log, &printed),
            printed,
            log,
            wasi_http: WasiHttpCtx::new(),
            wasi_http_gate: WasiHttpGate::new(http.clone()),
            websockets: WebSockets::new(&http.grants),
            http,
            table,
        })
    }

    /// What `wasi:filesystem` is to this guest.
    pub fn folders(&mut self) -> FolderView<'_> {
        FolderView {
            folders: &self.folders,
            wasi: self.wasi.filesystem(),
            table: &mut self.table,
        }
    }

    /// What is there in place of sockets.
    pub fn closed_sockets(&mut self) -> ClosedSockets<'_> {
        ClosedSockets {
            denials: &self.http.denials,
            wasi: WasiSocketsCtxView {
                ctx: self.wasi.sockets(),
                table: &mut self.table,
            },
        }
    }
}

/// A WASI context in which nothing is granted: no folders, arguments, environment or
/// sockets. Folders are the store's own, see `files`. What is printed is logged.
fn closed(sink: &Arc<str>, log: &Arc<LogBudget>, errors: &Printed) -> WasiCtx {
    WasiCtx::builder()
        .stdout(Printed::new(sink, log, Level::Info))
        .stderr(errors.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        // As the folders have it; nothing else here blocks.
        .allow_blocking_current_thread(true)
        .build()
}

/// A store that holds its guest to `limits`.
#[must_use]
pub fn store(engine: &Engine, data: GuestData, limits: &Limits) -> Store<GuestData> {
    let mut store = Store::new(engine, data);
    store.limiter(|data| &mut data.memory);
    // What one host call may bring over: a list can name the same bytes again and
    // again, and so come to more than the guest's memory.
    store.set_hostcall_fuel(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let computing = limits.computing;
    store.call_hook(move |mut store, hook| {
        if matches!(hook, CallHook::CallingWasm | CallHook::ReturningFromHost) {
            let left = store
                .data()
                .call_ends
                .saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CallTooLong.into());
            }
            // Time spent in the host was not the guest's. Of the call, two ticks more
            // than are left, since the first may come at once and a part of one counts
            // for nothing: what the epoch ends was too long by the clock as well.
            let deadline = ticks(computing).min(ticks(left + 2 * EPOCH_TICK));
            store.set_epoch_deadline(deadline);
        }
        Ok(())
    });
    store
}

/// Starts the wall clock of a call.
pub fn start_clock(store: &mut Store<GuestData>, wall: Duration) {
    let data = store.data_mut();
    data.memory.begin();
    let _ = data.printed.last_words();
    // A limit beyond what a clock can tell is none.
    data.call_ends = Instant::now()
        .checked_add(wall)
        .unwrap_or_else(|| Instant::now() + NEVER);
}

// The interface has types and no functions.
impl super::bindings::events::Host for GuestData {}

impl WasiView for GuestData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for GuestData {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.wasi_http,
            table: &mut self.table,
            hooks: &mut self.wasi_http_gate,
        }
    }
}

impl std::fmt::Debug for GuestData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestData")
            .field("sink", &self.sink)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::capability::Denials;
    use crate::guest::engine::engine;
    use wasmtime::component::{Component, Linker};

    fn empty_store(limits: &Limits) -> Store<GuestData> {
        let http = HttpGate::new(Arc::default(), Denials::new("test"));
        let log = Arc::new(LogBudget::new(0));
        let data = GuestData::new(limits, KeyValues::default(), log, http).unwrap();
        store(&engine().unwrap(), data, limits)
    }

    #[tokio::test]
    async fn a_number_of_instances_is_enough() {
        let engine = engine().unwrap();
        for (count, fits) in [(256, true), (257, false)] {
            let instances = "(core instance (instantiate $m))".repeat(count);
            let text = format!("(component (core module $m) {instances})");
            let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
            let limits = Limits::default();
            let mut store = empty_store(&limits);
            start_clock(&mut store, limits.call);
            let linker = Linker::new(&engine);
            let instance = linker.instantiate_async(&mut store, &component).await;
            assert_eq!(instance.is_ok(), fits, "{count}");
        }
    }

    #[test]
    fn a_guest_holds_so_much_of_the_hosts_and_no_more() {
        let mut store = empty_store(&Limits::default());
        let table = store.data_mut().ctx().table;
        let pushed = (0..10_000).take_while(|n| table.push(*n).is_ok()).count();
        assert_eq!(pushed, RESOURCES);
    }
}
