//! What a guest can call, one file a grant: each implements one interface of the
//! contract on the store's data.

pub mod files;
pub mod http;
pub mod log;
pub mod state;
mod topics;
mod wasi_http;

pub use wasi_http::WasiHttpGate;
