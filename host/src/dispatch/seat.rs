//! A worker's thread, and another one in its place where a guest keeps it.
//!
//! A call that blocks its thread in the operating system cannot be ended from
//! outside. Its thread is abandoned: another one goes on from what the journal
//! has, and whatever the call comes to later is not written down.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::loss::Loss;
use crate::guest::call_watch::{self, CallWatch};

/// Threads that a sink may take away, in one run, before it is given up.
const THREADS: u32 = 3;
/// How often to look whether a thread is stuck.
const LOOK: Duration = Duration::from_millis(250);

/// The right to work on a sink, which one thread has at a time.
#[derive(Debug, Default)]
pub struct Seat {
    lost: Mutex<bool>,
    watch: OnceLock<Arc<CallWatch>>,
}

/// While this is held nobody else takes the seat.
#[derive(Debug)]
pub struct Held<'a>(
    #[expect(dead_code, reason = "let go of by being dropped")] MutexGuard<'a, bool>,
);

impl Seat {
    /// Another thread has taken over: this one is to end without a trace.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        *self.lost()
    }

    /// Keeps the seat while something is written down; none where it is lost.
    #[must_use]
    pub fn hold(&self) -> Option<Held<'_>> {
        let lost = self.lost();
        (!*lost).then_some(Held(lost))
    }

    /// Takes the seat away from a thread that is stuck; false where it is not.
    fn relieve(&self) -> bool {
        let mut lost = self.lost();
        // Under the lock: it may have returned this moment.
        *lost = self.watch.get().is_some_and(|watch| watch.is_overdue());
        *lost
    }

    fn lost(&self) -> MutexGuard<'_, bool> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a thread named `name`, and again on another one where that gets
/// stuck in a guest. `lost` is told of it.
///
/// # Errors
///
/// Where no thread can be started.
pub fn staff(
    name: &str,
    work: impl Fn(&Arc<Seat>) + Send + Sync + 'static,
    lost: impl Fn(Loss) + Send + 'static,
) -> io::Result<()> {
    let work = Arc::new(work);
    let mut sitting = start(name, &work)?;
    let name = name.to_owned();
    let watching = std::thread::Builder::new().name(format!("watch {name}"));
    watching.spawn(move || {
        for _ in 1..THREADS {
            if !sitting.gets_stuck() {
                return;
            }
            lost(Loss::Replaced);
            match start(&name, &work) {
                Ok(next) => sitting = next,
                Err(error) => {
                    tracing::error!("no thread for {name}: {error}");
                    return lost(Loss::Last);
                }
            }
        }
        if sitting.gets_stuck() {
            lost(Loss::Last);
        }
    })?;
    Ok(())
}

/// A thread at work.
struct Sitting {
    seat: Arc<Seat>,
    /// Hangs up when the thread ends.
    ended: Receiver<()>,
}

impl Sitting {
    /// Waits for the thread to end, or to be lost.
    fn gets_stuck(&self) -> bool {
        while let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(LOOK) {
            if self.seat.relieve() {
                return true;
            }
        }
        false
    }
}

fn start(
    name: &str,
    work: &Arc<impl Fn(&Arc<Seat>) + Send + Sync + 'static>,
) -> io::Result<Sitting> {
    let seat = Arc::new(Seat::default());
    let (line, ended): (Sender<()>, _) = mpsc::channel();
    let (sits, work) = (Arc::clone(&seat), Arc::clone(work));
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _line = line;
            sits.watch.get_or_init(call_watch::of_this_thread);
            work(&sits);
        })?;
    Ok(Sitting { seat, ended })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    /// What `staff` tells of threads that each do `work`, until nobody watches.
    fn losses(work: impl Fn(&Arc<Seat>) + Send + Sync + 'static) -> Vec<Loss> {
        let (tell, told) = mpsc::channel();
        staff("test", work, move |loss| {
            tell.send(loss).unwrap();
        })
        .unwrap();
        told.iter().collect()
    }

    #[test]
    fn a_thread_that_ends_is_not_replaced() {
        assert_eq!(losses(|_| ()), []);
    }

    #[test]
    fn a_stuck_thread_is_replaced_and_leaves_no_trace() {
        let (started, written) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
        let (release, released) = mpsc::channel::<()>();
        let (abandoned, over) = mpsc::channel();
        let (released, abandoned) = (Mutex::new(released), Mutex::new(abandoned));
        let count = Arc::clone(&written);
        let told = losses(move |seat| {
            if started.fetch_add(1, Ordering::Relaxed) == 0 {
                let call = call_watch::enter(Instant::now());
                let _ = released.lock().unwrap().recv();
                drop(call);
                abandoned.lock().unwrap().send(seat.is_lost()).unwrap();
            }
            if seat.hold().is_some() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(told, [Loss::Replaced]);
        assert_eq!(written.load(Ordering::Relaxed), 1, "by the second");
        drop(release);
        assert!(over.recv().unwrap(), "the first one knows");
    }

    #[test]
    fn a_sink_that_takes_every_thread_is_given_up() {
        let told = losses(|_| {
            let _call = call_watch::enter(Instant::now());
            std::thread::park();
        });
        assert_eq!(told, [Loss::Replaced, Loss::Replaced, Loss::Last]);
    }
}
