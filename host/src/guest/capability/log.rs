//! `log`: lines under the sink's name, up to a number of bytes a session.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::guest::bindings::events::Level;
use crate::guest::bindings::log::Host;
use crate::guest::store::GuestData;
use crate::text::printable;

/// What a line counts beside its text: its time, its level, the sink's name.
pub const LINE: u64 = 64;

/// How much a sink may still write. Its instances share one, or failing would be
/// a way to more.
#[derive(Debug)]
pub struct LogBudget {
    left: AtomicU64,
    told: AtomicBool,
}

impl LogBudget {
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            left: AtomicU64::new(bytes),
            told: AtomicBool::new(false),
        }
    }

    /// Takes a line of `bytes` off; false where there is not enough left.
    fn take(&self, bytes: usize) -> bool {
        let asked = LINE.saturating_add(bytes as u64);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(asked)
            })
            .is_ok()
    }

    /// Whether something was left out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// Whether it is the first time that something is left out.
    fn is_first_over(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}

impl Host for GuestData {
    fn write(&mut self, level: Level, message: String) {
        lines(&self.log, &self.sink, level, &message);
    }
}

/// A line of the log for each of the message, so that none can pass for the host's.
pub fn lines(budget: &LogBudget, sink: &str, level: Level, message: &str) {
    for line in message.lines() {
        if budget.take(line.len()) {
            write(sink, level, &printable(line));
        } else {
            if budget.is_first_over() {
                tracing::warn!(sink = %sink, "limit.log is reached: its further lines are left out");
            }
            return;
        }
    }
}

fn write(sink: &str, level: Level, message: &str) {
    match level {
        Level::Debug => tracing::debug!(sink, "{message}"),
        Level::Info => tracing::info!(sink, "{message}"),
        Level::Warning => tracing::warn!(sink, "{message}"),
        Level::Error => tracing::error!(sink, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends() {
        let budget = LogBudget::new(2 * LINE + 10);
        assert!(budget.take(6));
        assert!(!budget.take(6));
        assert!(budget.take(4));
        assert!(!budget.take(0), "an empty line is a line");
        assert!(budget.is_first_over());
        assert!(!budget.is_first_over());
    }
}
