//! Write a sink for `pytest-host` in Rust.
//!
//! A sink is a type that implements [`Sink`], made the component's own with [`export!`]:
//!
//! ```
//! use pytest_host_sdk::{
//!     Envelope, Event, Misconfiguration, Need, Opening, Session, Sink, Undone, log,
//!     serde::{self, Deserialize},
//! };
//!
//! #[derive(Deserialize)]
//! #[serde(crate = "pytest_host_sdk::serde", deny_unknown_fields)]
//! struct Settings {
//!     greeting: String,
//! }
//!
//! struct Greeter {
//!     greeting: String,
//! }
//!
//! impl Sink for Greeter {
//!     type Settings = Settings;
//!
//!     fn configure(_settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
//!         Ok(vec![])
//!     }
//!
//!     fn open(settings: &Settings, _session: Session, _why: Opening) -> Result<Self, String> {
//!         Ok(Self { greeting: settings.greeting.clone() })
//!     }
//!
//!     fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
//!         for envelope in batch {
//!             if let Event::TestFinished(end) = envelope.event {
//!                 log::info(&format!("{}, {}", self.greeting, end.nodeid));
//!             }
//!         }
//!         vec![]
//!     }
//! }
//!
//! pytest_host_sdk::export!(Greeter);
//! # fn main() {}
//! ```
//!
//! Build it as a `cdylib` for `wasm32-wasip2`. Everything here compiles natively as well, so that a guest is
//! tested with plain `cargo test`: [`testing`] stands in for the host there.

pub mod captured;
pub mod delivery;
mod event;
pub mod http;
pub mod log;
pub mod python;
pub mod samples;
mod settings;
mod sink;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod topics;
pub mod websocket;

/// The contract's types, generated from `wit/`.
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "sink-guest",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "pytest_host_sdk::bindings",
        additional_derives: [Clone, PartialEq, serde::Serialize],
        // In JSON, cases have the contract's names.
        additional_type_attributes: {
            "pytest-host:sinks/events@0.1.0/phase": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/outcome": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/verdict": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/capture": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/event": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/level": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/pause-kind": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/pause-end": [#[serde(rename_all = "kebab-case")]],
            "pytest-host:sinks/events@0.1.0/job-state": [#[serde(rename_all = "kebab-case")]],
        },
    });
}

pub use bindings::exports::pytest_host::sinks::sink::{
    Misconfiguration, Need, Opening, Refusal, Undone,
};
pub use bindings::pytest_host::sinks::events::{self, Envelope, Event, Session};
pub use serde;
pub use serde_json;
pub use settings::parse as parse_settings;
pub use sink::{Sink, misconfigured};

#[doc(hidden)]
pub use sink::glue;
