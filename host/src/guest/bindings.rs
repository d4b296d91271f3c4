//! What `wit/` says, as Rust: the contract's types, the imports that the host
//! implements and the exports that it calls.
//!
//! The events of the newest contract are also the host's own: the journal holds
//! them as JSON. A later contract gets a module of its own beside this one, and
//! this one then translates.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "sink-guest",
    imports: {
        "pytest-host:sinks/http.send": async,
        "pytest-host:sinks/state.set": trappable,
        "pytest-host:sinks/websocket.send": async,
    },
    exports: { default: async },
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});

pub use self::pytest_host::sinks::{events, http, log, state, topics, websocket};
pub use exports::pytest_host::sinks::sink as exported;

/// World `orchestrator-guest`, with the types of the others.
pub mod orchestrator {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "orchestrator-guest",
        with: {
            "pytest-host:sinks/events": super::pytest_host::sinks::events,
            "pytest-host:sinks/log": super::pytest_host::sinks::log,
        },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });

    pub use exports::pytest_host::sinks::orchestrator::{Action, Completion, Step, Verdict};
}

/// World `pause-policy-guest`, with the types of the other.
pub mod policy {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "pause-policy-guest",
        with: {
            "pytest-host:sinks/events": super::pytest_host::sinks::events,
            "pytest-host:sinks/log": super::pytest_host::sinks::log,
        },
        exports: { default: async },
    });
}
