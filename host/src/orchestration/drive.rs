//! Calls an orchestrator whenever there is something to tell it: on a thread of its own,
//! by a monotonic clock.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use super::call::{Call, Calls};
use super::{source, steps};
use crate::guest::bindings::orchestrator::Completion;
use crate::guest::orchestrator::{self, Orchestrator};
use crate::journal::Journal;
use crate::protocol::message::FromHost;
use crate::protocol::orchestration::{Begin, Ended, Step};

/// What the adapter tells while a test goes on.
pub enum News {
    Ended(Ended),
    Killed,
}

/// Without anything to wait for: longer than any test.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// Until the verdict, or until nobody is there any more.
pub fn drive(
    begin: &Begin,
    journal: Arc<dyn Journal>,
    news: &Receiver<News>,
    lines: Sender<FromHost>,
) {
    let mut drive = Drive {
        begin,
        lines,
        calls: Calls::new(&begin.orchestration, journal),
        heard: 0,
        killed: false,
    };
    if let Err(problem) = drive.go(news) {
        tracing::error!("orchestration {}: {problem}", begin.orchestration);
        drive.give_up(problem);
    }
}

struct Drive<'a> {
    begin: &'a Begin,
    lines: Sender<FromHost>,
    calls: Calls,
    /// Ends of events.
    heard: u64,
    killed: bool,
}

/// When to call again, and whether it is over.
#[derive(Default)]
struct After {
    wake_at: Option<orchestrator::Instant>,
    over: bool,
}

impl Drive<'_> {
    fn go(&mut self, news: &Receiver<News>) -> Result<(), String> {
        let check = &self.begin.check;
        let source = source(check.orchestrator.as_deref());
        let mut guest = Orchestrator::load(&source, &check.description, check.hours, check.seed)
            .map_err(|error| error.to_string())?;
        let mut after = self.go_back(&mut guest)?;
        // A clock that stands still meanwhile would be behind the adapter's.
        let began = Instant::now()
            .checked_sub(seconds(self.begin.elapsed))
            .unwrap_or_else(Instant::now);
        if self.calls.made == 0 {
            after = self.call(&mut guest, nanoseconds(began.elapsed()), Vec::new())?;
        }
        while !after.over {
            let wait = after.wake_at.map_or(NEVER, |wake_at| {
                Duration::from_nanos(wake_at).saturating_sub(began.elapsed())
            });
            let mut completed = Vec::new();
            match news.recv_timeout(wait) {
                Ok(first) => {
                    let was_killed = self.killed;
                    self.hear(first, &mut completed);
                    while let Ok(more) = news.try_recv() {
                        self.hear(more, &mut completed);
                    }
                    if completed.is_empty() && self.killed == was_killed {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            after = self.call(&mut guest, nanoseconds(began.elapsed()), completed)?;
        }
        Ok(())
    }

    /// Makes the calls again that a core before this one has made, and sends the steps
    /// that have not arrived.
    fn go_back(&mut self, guest: &mut Orchestrator) -> Result<After, String> {
        let calls = self.calls.before().map_err(|error| error.to_string())?;
        let mut after = After::default();
        for call in calls {
            after = self.make(guest, call)?;
        }
        Ok(after)
    }

    fn hear(&mut self, news: News, completed: &mut Vec<Completion>) {
        match news {
            News::Killed => self.killed = true,
            // The adapter tells again what it does not know to be heard.
            News::Ended(ended) if ended.number <= self.heard + completed.len() as u64 => {}
            News::Ended(ended) => completed.push(Completion {
                instance: ended.instance,
                ok: ended.ok,
                message: ended.message,
            }),
        }
    }

    fn call(
        &mut self,
        guest: &mut Orchestrator,
        now: orchestrator::Instant,
        completed: Vec<Completion>,
    ) -> Result<After, String> {
        let killed = self.killed;
        let call = Call {
            now,
            completed,
            killed,
        };
        self.calls.note(&call);
        self.make(guest, call)
    }

    fn make(&mut self, guest: &mut Orchestrator, call: Call) -> Result<After, String> {
        let ends = call.completed.len() as u64;
        self.calls.made += 1;
        self.heard += ends;
        self.killed |= call.killed;
        let step = guest
            .advance(call.now, &call.completed, call.killed)
            .map_err(|error| format!("the orchestrator: {error}"))?;
        let after = After {
            wake_at: step.wake_at,
            over: step.verdict.is_some(),
        };
        let id = &self.begin.orchestration;
        let step = steps::step(id, self.calls.made, self.heard, step);
        if step.number > self.begin.step && (ends > 0 || is_something(&step)) {
            self.send(step);
        }
        Ok(after)
    }

    /// The adapter that is not there any more gets nothing; its end is told by `news`.
    fn send(&self, step: Step) {
        let _ = self.lines.blocking_send(FromHost::Step(Box::new(step)));
    }

    fn give_up(&self, problem: String) {
        self.send(Step {
            orchestration: self.begin.orchestration.clone(),
            number: self.calls.made.max(self.begin.step) + 1,
            heard: self.heard,
            start: Vec::new(),
            log: Vec::new(),
            stop: true,
            verdict: Some(steps::failed(problem)),
        });
    }
}

fn is_something(step: &Step) -> bool {
    step.number == 1
        || step.stop
        || step.verdict.is_some()
        || !step.start.is_empty()
        || !step.log.is_empty()
}

fn seconds(elapsed: Option<f64>) -> Duration {
    elapsed
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}

fn nanoseconds(time: Duration) -> orchestrator::Instant {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
