//! One event while the test goes on: what has run, and what comes next.

use std::rc::Rc;

use crate::description::{Event, OnError};
use crate::plan::Instant;
use crate::step::{Level, Step};
use crate::words::{many, seconds};

pub struct Progress {
    pub event: Rc<Event>,
    /// The tick that is next.
    next: u64,
    /// Runs that have started, are under way, have failed.
    pub runs: u64,
    pub running: u64,
    pub failures: u64,
    pub missed: u64,
    /// Of those, the ones since the last run.
    streak: u64,
    /// The first failure's words.
    pub first_failure: Option<String>,
}

impl Progress {
    pub fn new(event: Event) -> Self {
        Self {
            event: Rc::new(event),
            next: 0,
            runs: 0,
            running: 0,
            failures: 0,
            missed: 0,
            streak: 0,
            first_failure: None,
        }
    }

    pub fn next_tick(&self) -> Option<Instant> {
        self.event.plan.tick(self.next)
    }

    /// Whether it would overlap itself.
    pub fn is_busy(&self) -> bool {
        self.running > 0 && !self.event.overlap
    }

    /// The tick that is to run now. Where several are due, say after the host was gone
    /// for a while, the last one; those before it are missed, and so is one while a run
    /// has not ended.
    pub fn due(&mut self, now: Instant, step: &mut Step) -> Option<Instant> {
        let latest = self.event.plan.latest(now).filter(|k| *k >= self.next)?;
        let (due, skipped) = (self.event.plan.tick(latest)?, latest - self.next);
        if skipped > 0 {
            self.missed += skipped;
            let from = self.next_tick().map(seconds).unwrap_or_default();
            let what = many(skipped, "tick");
            let late = format!("{}: {what} missed, from {from} on", self.event.name);
            step.say(Level::Warning, late);
        }
        self.next = latest + 1;
        if self.is_busy() {
            self.missed += 1;
            self.streak += 1;
            if self.streak == 1 {
                let message = format!(
                    "{}: the tick at {} is missed, since the run before has not ended",
                    self.event.name,
                    seconds(due)
                );
                step.say(Level::Warning, message);
            }
            return None;
        }
        if self.streak > 1 {
            let what = many(self.streak, "tick");
            let message = format!("{}: {what} in a row were missed", self.event.name);
            step.say(Level::Warning, message);
        }
        self.streak = 0;
        Some(due)
    }

    /// Leaves out what would have been due up to `now`.
    pub fn pass_over(&mut self, now: Instant, step: &mut Step) {
        let Some(latest) = self.event.plan.latest(now).filter(|k| *k >= self.next) else {
            return;
        };
        let passed = latest + 1 - self.next;
        self.next = latest + 1;
        self.missed += passed;
        let message = format!("{}: {} missed", self.event.name, many(passed, "tick"));
        step.say(Level::Warning, message);
    }

    /// A run went wrong. Answers whether the test is to stop for it.
    pub fn fail(&mut self, why: &str, step: &mut Step) -> bool {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| why.to_owned());
        let level = match self.event.on_error {
            OnError::Continue => Level::Warning,
            OnError::Fail | OnError::Stop => Level::Error,
        };
        step.say(level, format!("{}: {why}", self.event.name));
        self.has_failed() && self.event.on_error == OnError::Stop
    }

    /// Whether the test fails for it.
    pub fn has_failed(&self) -> bool {
        self.failures > self.event.max_failures
    }

    /// Why it does.
    pub fn reason(&self) -> Option<String> {
        let why = self.first_failure.as_deref()?;
        self.has_failed().then(|| match (self.failures, self.runs) {
            (1, 1) => format!("{}: {why}", self.event.name),
            (failures, runs) => format!(
                "{} failed in {failures} of {}, first: {why}",
                self.event.name,
                many(runs, "run")
            ),
        })
    }
}
