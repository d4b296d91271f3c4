//! `log`: lines under the sink's name, up to a number of bytes a session.

use crate::guest::bindings::events::Level;
use crate::guest::bindings::log::Host;
use crate::guest::store::GuestData;

/// How much a sink may still write.
#[derive(Debug)]
pub struct LogBudget {
    left: u64,
    exceeded: bool,
}

impl LogBudget {
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            left: bytes,
            exceeded: false,
        }
    }

    /// Takes `bytes` off; false once they are used up.
    fn take(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes as u64) {
            Some(left) if !self.exceeded => {
                self.left = left;
                true
            }
            _ => false,
        }
    }
}

impl Host for GuestData {
    fn write(&mut self, level: Level, message: String) {
        if self.log.take(message.len()) {
            write(&self.sink, level, &message);
        } else if !self.log.exceeded {
            self.log.exceeded = true;
            tracing::warn!(sink = %self.sink, "limit.log is reached: its further lines are left out");
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
        let mut budget = LogBudget::new(10);
        assert!(budget.take(6));
        assert!(!budget.take(6));
        assert!(budget.take(4));
        assert!(!budget.take(1));
    }
}
