//! Waiting for sinks, in front of a person: with a bar, until Ctrl-C.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::summary::Bar;
use crate::protocol::message::SinkReport;

/// How often to look how far the sinks are.
const LOOK: Duration = Duration::from_millis(50);
/// How long the call of a sink may take that is under way at the end.
pub const LAST_CALL: Duration = Duration::from_millis(100);

/// Set by the signals that would end this process: it ends the wait instead, says
/// how far it came, and tidies up.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn new() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // A second one ends it as it would have been ended without this.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a wait is for.
pub struct Wait<'a> {
    pub reports: &'a dyn Fn() -> Vec<SinkReport>,
    /// Nothing more will come, but for what sinks still have to deliver.
    pub is_filled: &'a dyn Fn() -> bool,
    pub is_over: &'a dyn Fn() -> bool,
}

impl Wait<'_> {
    /// Until it is over, `timeout` has passed since it was filled, or Ctrl-C.
    pub fn run(&self, timeout: Duration, interrupt: &Interrupt) {
        let mut filled = None;
        let bar = Bar::new();
        loop {
            bar.show(&(self.reports)());
            if filled.is_none() && (self.is_filled)() {
                filled = Some(Instant::now());
            }
            let late = filled.is_some_and(|filled: Instant| filled.elapsed() >= timeout);
            if (self.is_over)() || late || interrupt.is_set() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        bar.end();
    }
}
