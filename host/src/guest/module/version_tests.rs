//! Guests of one version of the contract on hosts of another.

use wasmtime::component::{Component, Linker};

use super::*;

/// A host of a later contract: 0.1.1, which has an interface more.
mod later {
    wasmtime::component::bindgen!({
        path: "../tests/fixtures/contract/0.1.1",
        world: "sink-guest",
        exports: { default: async },
    });
}

/// Built for 0.1.0, and kept.
const OLD: &[u8] = include_bytes!("../../../../tests/fixtures/contract/0.1.0/collector.wasm");

#[test]
fn a_version_of_the_same_series_that_is_no_later_is_spoken() {
    assert!(is_spoken("0.1.0"));
    for other in ["0.1.1", "0.2.0", "1.0.0", "0.0.9", "0.1", "x"] {
        assert!(!is_spoken(other), "{other}");
    }
}

/// The linker and the bindings find what an older guest imports and exports.
#[test]
fn a_later_host_runs_a_guest_of_0_1_0() {
    let engine = engine::engine().unwrap();
    let component = Component::new(&engine, OLD).unwrap();
    let mut linker: Linker<GuestData> = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    for interface in OWN {
        // Names as a host of 0.1.1 has them; what they do is not called here.
        let mut instance = linker
            .instance(&format!("{CONTRACT}/{interface}@0.1.1"))
            .unwrap();
        let functions: &[&str] = match interface {
            "log" => &["write"],
            "state" => &["get", "set", "delete"],
            "topics" => &["publish"],
            "http" | "websocket" => &["send"],
            _ => &[],
        };
        for function in functions {
            instance.func_new(function, |_, _, _, _| Ok(())).unwrap();
        }
    }
    let linked = linker.instantiate_pre(&component).unwrap();
    later::SinkGuestPre::new(linked).unwrap();
}
