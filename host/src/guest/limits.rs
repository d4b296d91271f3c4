//! What a guest may use up: memory, time, log lines, state.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

/// The limits of one sink; `limit.*` in its table changes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of all its linear memories together.
    pub memory: u64,
    /// Computing of its own in one call; starts anew after each host call.
    pub computing: Duration,
    /// Wall clock of one call, host calls included.
    pub call: Duration,
    /// Bytes of log messages in one session.
    pub log: u64,
    /// Bytes of keys and values in `state`.
    pub state: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            computing: Duration::from_secs(5),
            call: Duration::from_secs(60),
            log: 1 << 20,
            state: 16 << 20,
        }
    }
}

/// Table elements (function references) a guest may have; CPython needs about 10,000.
const TABLE_ELEMENTS: usize = 200_000;

/// Counts a store's memories together: wasmtime's own `StoreLimits` counts each by itself.
#[derive(Debug)]
pub struct MemoryLimiter {
    limit: u64,
    used: u64,
    refused: bool,
}

impl MemoryLimiter {
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            refused: false,
        }
    }

    /// Whether the guest ever asked for more than it may have.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        if self.used.saturating_add(growth) > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used += growth;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.refused());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
    }
}
