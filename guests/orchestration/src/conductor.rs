//! An orchestrated test from its start to its verdict.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::description::Description;
use crate::event::Progress;
use crate::plan::Instant;
use crate::step::{Action, Completion, Level, Step, Verdict};
use crate::words::{many, seconds};

/// How late a tick may be once the test should have ended.
const LATE: Instant = 1_000_000_000;

pub struct Conductor {
    description: Description,
    events: Vec<Progress>,
    /// By instance.
    running: BTreeMap<u32, Run>,
    instances: u32,
    now: Instant,
    phase: Phase,
    /// What the test fails for beside its events.
    killed: bool,
}

struct Run {
    /// Which of the events.
    event: usize,
    started: Instant,
    teardown: bool,
}

enum Phase {
    Running,
    /// Events of teardown run; `waiting` have not started, since they still run otherwise.
    Teardown {
        until: Instant,
        waiting: Vec<usize>,
    },
    /// Everything was told to end.
    Stopping {
        until: Instant,
    },
    Over(Verdict),
}

impl Conductor {
    #[must_use]
    pub fn new(mut description: Description) -> Self {
        let events = std::mem::take(&mut description.events);
        Self {
            description,
            events: events.into_iter().map(Progress::new).collect(),
            running: BTreeMap::new(),
            instances: 0,
            now: 0,
            phase: Phase::Running,
            killed: false,
        }
    }

    /// What to do at `now`, when these have ended; `killed` once the kill switch was set.
    pub fn advance(&mut self, now: Instant, completed: &[Completion], killed: bool) -> Step {
        // A clock that goes backward would undo what has happened.
        self.now = self.now.max(now);
        let mut step = Step::default();
        let mut stop = killed;
        for completion in completed {
            stop |= self.complete(completion, &mut step);
        }
        if matches!(self.phase, Phase::Running) {
            self.go_on(killed, stop, &mut step);
        }
        self.tear_down(&mut step);
        self.wait_for_the_last(&mut step);
        step.wake_at = self.wake_at();
        if let Phase::Over(verdict) = &self.phase {
            step.verdict = Some(verdict.clone());
        }
        step
    }

    /// Answers whether the test is to stop for it.
    fn complete(&mut self, completion: &Completion, step: &mut Step) -> bool {
        // What hung and was given up on may end after all.
        let Some(run) = self.running.remove(&completion.instance) else {
            return false;
        };
        let lasted = self.now - run.started;
        let Some(progress) = self.events.get_mut(run.event) else {
            return false;
        };
        progress.running -= 1;
        let limit = progress.event.max_duration;
        let too_long = limit.filter(|limit| lasted > *limit);
        match (completion.ok, too_long) {
            (false, _) => progress.fail(&completion.message, step),
            (true, Some(limit)) => {
                let why = format!(
                    "took {}, longer than max_duration, {}",
                    seconds(lasted),
                    seconds(limit)
                );
                progress.fail(&why, step)
            }
            (true, None) => false,
        }
    }

    fn go_on(&mut self, killed: bool, stop: bool, step: &mut Step) {
        let end = self.description.end;
        if stop {
            self.killed = killed;
            let message = if killed {
                "the kill switch was set: stopping"
            } else {
                "an event failed that should stop the test: stopping"
            };
            step.say(Level::Warning, message);
            return self.enter_teardown();
        }
        let ends = self.now >= end;
        // What was due just before the end is not lost to a clock that is a little late.
        if ends && self.now - end > LATE {
            for progress in &mut self.events {
                progress.pass_over(self.now, step);
            }
        }
        let mut due = Vec::new();
        for (at, progress) in self.events.iter_mut().enumerate() {
            if let Some(time) = progress.due(self.now, step) {
                due.push((time, at));
            }
        }
        // The soonest first, and those of one time as they are described.
        due.sort_unstable();
        for (time, at) in due {
            self.start(at, time, false, step);
        }
        if ends {
            self.enter_teardown();
        }
    }

    fn start(&mut self, at: usize, due: Instant, teardown: bool, step: &mut Step) {
        let Some(progress) = self.events.get_mut(at) else {
            return;
        };
        progress.runs += 1;
        progress.running += 1;
        self.instances += 1;
        let run = Run {
            event: at,
            started: self.now,
            teardown,
        };
        self.running.insert(self.instances, run);
        let event = Rc::clone(&progress.event);
        step.start.push(Action {
            name: event.name.clone(),
            instance: self.instances,
            params: event.params.clone(),
            due,
            next: progress.next_tick().filter(|_| !teardown),
        });
    }

    fn enter_teardown(&mut self) {
        let events = self.events.iter().enumerate();
        let waiting = events.filter(|(_, progress)| progress.event.at_teardown);
        self.phase = Phase::Teardown {
            until: self.now.saturating_add(self.description.teardown_timeout),
            waiting: waiting.map(|(at, _)| at).collect(),
        };
    }

    fn tear_down(&mut self, step: &mut Step) {
        let Phase::Teardown { until, waiting } = &mut self.phase else {
            return;
        };
        let (until, waiting) = (*until, std::mem::take(waiting));
        let (later, now): (Vec<usize>, Vec<usize>) = waiting
            .into_iter()
            .partition(|at| self.events.get(*at).is_some_and(Progress::is_busy));
        for at in now {
            self.start(at, self.now, true, step);
        }
        let is_done = later.is_empty() && !self.running.values().any(|run| run.teardown);
        if !is_done && self.now < until {
            self.phase = Phase::Teardown {
                until,
                waiting: later,
            };
            return;
        }
        for at in later {
            if let Some(progress) = self.events.get_mut(at) {
                progress.fail(
                    "never ran at teardown, since the run before did not end",
                    step,
                );
            }
        }
        self.give_up(|run| run.teardown, self.description.teardown_timeout, step);
        step.stop = true;
        self.phase = Phase::Stopping {
            until: self.now.saturating_add(self.description.stop_timeout),
        };
    }

    /// Reports runs that did not end in time, and forgets them.
    fn give_up(&mut self, which: impl Fn(&Run) -> bool, waited: Instant, step: &mut Step) {
        let hanging: Vec<u32> = self
            .running
            .iter()
            .filter(|(_, run)| which(run))
            .map(|(instance, _)| *instance)
            .collect();
        for instance in hanging {
            if let Some(run) = self.running.remove(&instance)
                && let Some(progress) = self.events.get_mut(run.event)
            {
                progress.running -= 1;
                let why = format!(
                    "hangs: it began at {} and had not ended {} after it should have",
                    seconds(run.started),
                    seconds(waited)
                );
                progress.fail(&why, step);
            }
        }
    }

    fn wait_for_the_last(&mut self, step: &mut Step) {
        let Phase::Stopping { until } = self.phase else {
            return;
        };
        if !self.running.is_empty() && self.now < until {
            return;
        }
        self.give_up(|_| true, self.description.stop_timeout, step);
        for progress in &self.events {
            if progress.missed > 0 {
                let what = many(progress.missed, "tick");
                let runs = many(progress.runs, "run");
                let message = format!("{}: {runs}, {what} missed", progress.event.name);
                step.say(Level::Warning, message);
            }
        }
        self.phase = Phase::Over(self.verdict());
    }

    fn verdict(&self) -> Verdict {
        let killed = self.killed.then(|| "the kill switch was set".to_owned());
        let failed = self.events.iter().filter_map(Progress::reason);
        let reasons: Vec<String> = killed.into_iter().chain(failed).collect();
        if reasons.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(reasons.join("\n"))
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Running => {
                let ticks = self.events.iter().filter_map(Progress::next_tick);
                ticks.chain([self.description.end]).min()
            }
            Phase::Teardown { until, .. } | Phase::Stopping { until } => Some(until),
            Phase::Over(_) => None,
        }
    }
}
