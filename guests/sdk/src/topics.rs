//! Messages to whoever is subscribed to a topic of the host's WebSocket API.

#[cfg(target_family = "wasm")]
pub use crate::bindings::pytest_host::sinks::topics::publish;
#[cfg(not(target_family = "wasm"))]
pub use crate::testing::publish;
