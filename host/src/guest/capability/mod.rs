//! What a guest can call, one file a grant: each implements one interface of the
//! contract on the store's data.

mod denied;
pub mod files;
pub mod http;
pub mod log;
pub mod printed;
mod request;
pub mod sockets;
pub mod state;
mod topics;
mod wasi_http;
pub mod websocket;

pub use denied::Denials;
pub use sockets::ClosedSockets;
pub use wasi_http::WasiHttpGate;
