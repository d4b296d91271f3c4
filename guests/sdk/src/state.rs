//! Small values that outlive the instance, private to one sink of one session.

use serde::{Serialize, de::DeserializeOwned};

#[cfg(target_family = "wasm")]
use crate::bindings::pytest_host::sinks::state as host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::state as host;

/// Where a sink keeps its values: [`HostState`], or a map in a native test.
pub trait State {
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    fn set(&mut self, key: &str, value: &[u8]);
    fn delete(&mut self, key: &str);
}

/// What is kept under `key` as JSON; nothing where nothing is.
///
/// # Errors
///
/// Where it is not of this type.
pub fn load<T: DeserializeOwned>(key: &str) -> Result<Option<T>, serde_json::Error> {
    HostState
        .get(key)
        .map(|json| serde_json::from_slice(&json))
        .transpose()
}

/// Keeps `value` under `key` as JSON.
///
/// # Errors
///
/// Where it has no JSON, e.g. a map whose keys are no texts.
pub fn store<T: Serialize>(key: &str, value: &T) -> Result<(), serde_json::Error> {
    HostState.set(key, &serde_json::to_vec(value)?);
    Ok(())
}

/// The host's own, committed together with the acknowledgement of the batch at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostState;

impl State for HostState {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        host::get(key)
    }

    fn set(&mut self, key: &str, value: &[u8]) {
        host::set(key, value);
    }

    fn delete(&mut self, key: &str) {
        host::delete(key);
    }
}

impl State for std::collections::HashMap<String, Vec<u8>> {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        Self::get(self, key).cloned()
    }

    fn set(&mut self, key: &str, value: &[u8]) {
        self.insert(key.to_owned(), value.to_owned());
    }

    fn delete(&mut self, key: &str) {
        self.remove(key);
    }
}
