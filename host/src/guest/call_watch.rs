//! Calls that keep their thread: seen from another one.
//!
//! A store lives on one thread, and file calls block it. What a guest does there
//! ends by epoch and by clock; a file call that never returns, of a pipe that
//! nobody writes to or a server that is gone, does not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The guest call that a thread is in, if any.
#[derive(Debug, Default)]
pub struct CallWatch {
    /// When it has to have returned, given up on by its own thread.
    ends: Mutex<Option<Instant>>,
}

thread_local! {
    static WATCH: Arc<CallWatch> = Arc::default();
}

/// The watch of the calling thread, to be handed to another.
#[must_use]
pub fn of_this_thread() -> Arc<CallWatch> {
    WATCH.with(Arc::clone)
}

/// Notes that this thread's call has to return before `ends`, until what it
/// answers with is dropped.
#[must_use]
pub fn enter(ends: Instant) -> Entered {
    let watch = of_this_thread();
    *watch.ends() = Some(ends);
    Entered(watch)
}

/// A call under way.
#[derive(Debug)]
pub struct Entered(Arc<CallWatch>);

impl Drop for Entered {
    fn drop(&mut self) {
        *self.0.ends() = None;
    }
}

impl CallWatch {
    /// The thread is in a call that it should have ended by itself.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.ends().is_some_and(|ends| Instant::now() > ends)
    }

    fn ends(&self) -> MutexGuard<'_, Option<Instant>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_call_is_overdue_while_it_lasts_and_only_on_its_own_thread() {
        let watch = of_this_thread();
        assert!(!watch.is_overdue());
        let call = enter(Instant::now() - Duration::from_millis(1));
        assert!(watch.is_overdue());
        let other = std::thread::spawn(|| of_this_thread().is_overdue());
        assert!(!other.join().unwrap());
        drop(call);
        assert!(!watch.is_overdue());
        let _call = enter(Instant::now() + Duration::from_secs(3600));
        assert!(!watch.is_overdue());
    }
}
