//! What became of changes while a run went on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The changes that were refused and that nobody has put right since.
#[derive(Debug, Default)]
pub struct Changes {
    refused: Mutex<BTreeMap<String, String>>,
}

impl Changes {
    /// What `what` was changed to is not used, and why, in one line.
    pub fn refuse(&self, what: &str, why: &str) {
        let known = self.refused().insert(what.to_owned(), why.to_owned());
        if known.as_deref() != Some(why) {
            tracing::warn!("a change is refused: {why}");
        }
    }

    /// `what` is as it should be.
    pub fn accept(&self, what: &str) {
        self.refused().remove(what);
    }

    /// One line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.refused().values().cloned().collect()
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_right_is_not_told() {
        let changes = Changes::default();
        changes.refuse("mine", "sink mine: mine.wasm is not WebAssembly");
        changes.refuse("", "host.toml:3: not valid TOML");
        changes.accept("mine");
        changes.accept("other");
        assert_eq!(changes.lines(), ["host.toml:3: not valid TOML"]);
    }
}
