//! What belongs to one instance of a guest, and the clock its calls run against.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store};
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::capability::files::{FolderView, Folders};
use super::capability::http::HttpGate;
use super::capability::log::LogBudget;
use super::capability::state::KeyValues;
use super::capability::{ClosedSockets, WasiHttpGate};
use super::engine::ticks;
use super::limits::{Limits, MemoryLimiter};

/// The data of a guest's store.
pub struct GuestData {
    pub sink: Arc<str>,
    pub values: KeyValues,
    pub log: LogBudget,
    pub http: HttpGate,
    /// When the call that runs now has used up its wall clock.
    pub call_ends: Instant,
    pub memory: MemoryLimiter,
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
    pub fn new(limits: &Limits, values: KeyValues, http: HttpGate) -> wasmtime::Result<Self> {
        Ok(Self {
            sink: Arc::clone(&http.denials.sink),
            values,
            log: LogBudget::new(limits.log),
            call_ends: Instant::now(),
            memory: MemoryLimiter::new(limits.memory),
            folders: Folders::open(&http.grants.folders, &http.denials)?,
            wasi: closed(),
            wasi_http: WasiHttpCtx::new(),
            wasi_http_gate: WasiHttpGate::new(http.clone()),
            http,
            table: ResourceTable::new(),
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

/// A WASI context in which nothing is granted: no folders, arguments, environment,
/// standard streams or sockets. Folders are the store's own, see `files`.
fn closed() -> WasiCtx {
    WasiCtx::builder()
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
    let computing = ticks(limits.computing);
    store.call_hook(move |mut store, hook| {
        if matches!(hook, CallHook::CallingWasm | CallHook::ReturningFromHost) {
            if Instant::now() > store.data().call_ends {
                return Err(CallTooLong.into());
            }
            // Time spent in the host was not the guest's.
            store.set_epoch_deadline(computing);
        }
        Ok(())
    });
    store
}

/// Starts the wall clock of a call.
pub fn start_clock(store: &mut Store<GuestData>, wall: Duration) {
    store.data_mut().call_ends = Instant::now() + wall;
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
