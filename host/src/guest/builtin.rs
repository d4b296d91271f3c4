//! The guests that are part of this program.

/// The names of those that are sinks, in the order they are listed in.
pub const NAMES: [&str; 4] = ["publish", "pubdir", "rt", "relay"];

/// The one that orchestrates tests unless another one is named.
pub const ORCHESTRATION: &str = "orchestration";

/// The one that does nothing, which others are measured beside.
pub const EMPTY: &str = "empty";

/// The component of a built-in guest.
#[must_use]
pub fn component(name: &str) -> Option<&'static [u8]> {
    match name {
        "publish" => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/publish.wasm"
        ))),
        "pubdir" => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/pubdir.wasm"
        ))),
        "rt" => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/rt.wasm"
        ))),
        "relay" => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/relay.wasm"
        ))),
        ORCHESTRATION => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/orchestration.wasm"
        ))),
        EMPTY => Some(include_bytes!(concat!(
            env!("PYTEST_HOST_GUESTS"),
            "/empty.wasm"
        ))),
        _ => None,
    }
}
