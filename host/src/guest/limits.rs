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
    /// Bytes of log messages in one session, [`LINE`](super::capability::log::LINE) more for each line.
    pub log: u64,
    /// Bytes of keys and values in `state`, [`ENTRY`](super::capability::state::ENTRY) more for each entry.
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

/// Table elements (function references) a guest may have in all its tables
/// together; CPython needs about 10,000.
const TABLE_ELEMENTS: usize = 200_000;
/// Core instances, memories and tables of a guest. Each takes address space and
/// bookkeeping of the host's, however small it is; a Python guest has some 30.
const INSTANCES: usize = 256;
const MEMORIES: usize = 64;
const TABLES: usize = 64;
/// What a guest may hold of the host's at once: open files, streams, requests
/// under way, things to wait for.
pub const RESOURCES: usize = 2_000;

/// What a guest is over when it asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Memory,
    Table,
}

/// Counts a store's memories together, and its tables: wasmtime's own
/// `StoreLimits` counts each by itself.
#[derive(Debug)]
pub struct MemoryLimiter {
    limit: u64,
    used: u64,
    elements: usize,
    refused: Option<Refused>,
}

impl MemoryLimiter {
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            elements: 0,
            refused: None,
        }
    }

    /// What the guest asked for in vain since its call began.
    #[must_use]
    pub fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Bytes of all memories together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// A call begins: what it fails of is not what an earlier one got over.
    pub fn begin(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // It would not get it, and so has not used it.
            return Ok(false);
        }
        let growth = desired.saturating_sub(current) as u64;
        if self.used.saturating_add(growth) > self.limit {
            self.refused = Some(Refused::Memory);
            return Ok(false);
        }
        self.used += growth;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current);
        if self.elements.saturating_add(growth) > TABLE_ELEMENTS {
            self.refused = Some(Refused::Table);
            return Ok(false);
        }
        self.elements += growth;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }

    fn tables(&self) -> usize {
        TABLES
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
        assert_eq!(limiter.refused(), Some(Refused::Memory));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        limiter.begin();
        assert_eq!(limiter.refused(), None);
    }

    #[test]
    fn what_a_memory_cannot_get_by_its_own_maximum_is_not_counted() {
        let mut limiter = MemoryLimiter::new(100);
        assert!(!limiter.memory_growing(0, 90, Some(50)).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(limiter.memory_growing(0, 90, Some(90)).unwrap());
    }

    #[test]
    fn tables_count_together() {
        let mut limiter = MemoryLimiter::new(100);
        let half = TABLE_ELEMENTS / 2;
        assert!(limiter.table_growing(0, half, None).unwrap());
        assert!(limiter.table_growing(0, half, None).unwrap());
        assert!(!limiter.table_growing(half, half + 1, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::Table));
    }
}
