//! How a process is told to end: more and more firmly.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

/// In this order.
const STEPS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::KILL];

/// The process and its group are sent the next signal whenever the last one had its time.
#[derive(Debug)]
pub struct Ladder {
    main: Pid,
    grace: Duration,
    left: std::array::IntoIter<Signal, 3>,
    due: Option<Instant>,
}

impl Ladder {
    pub fn new(main: Pid, grace: Duration) -> Self {
        Self {
            main,
            grace,
            left: STEPS.into_iter(),
            due: None,
        }
    }

    pub fn is_begun(&self) -> bool {
        self.due.is_some()
    }

    pub fn begin(&mut self) {
        self.due = Some(Instant::now());
    }

    /// To be called often.
    pub fn step(&mut self) {
        let now = Instant::now();
        if self.due.is_some_and(|due| due <= now)
            && let Some(signal) = self.left.next()
        {
            self.send(signal);
            self.due = Some(now + self.grace);
        }
    }

    fn send(&self, signal: Signal) {
        let _ = kill_process_group(self.main, signal);
        // One that has left its group; a second SIGINT would cut its clean-up short.
        if getpgid(Some(self.main)).is_ok_and(|group| group != self.main) {
            let _ = kill_process(self.main, signal);
        }
    }
}
