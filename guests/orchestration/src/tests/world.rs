//! In place of pytest: runs last as long as they are told to.

use std::collections::BTreeMap;

use crate::conductor::Conductor;
use crate::description::Description;
use crate::plan::Instant;
use crate::step::{Action, Completion, Level, Step, Verdict};

pub const SECOND: Instant = 1_000_000_000;

/// How a run goes: how long it lasts, where it ends at all, and what it raises.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub lasts: Option<Instant>,
    pub raises: Option<&'static str>,
    /// Ends when it is told to.
    pub heeds: bool,
}

impl Body {
    pub fn lasts(lasts: Instant) -> Self {
        Self {
            lasts: Some(lasts),
            ..Self::default()
        }
    }

    pub fn raises(why: &'static str) -> Self {
        Self {
            raises: Some(why),
            ..Self::lasts(0)
        }
    }
}

pub struct Seen {
    /// When, and what.
    pub starts: Vec<(Instant, Action)>,
    pub log: Vec<(Level, String)>,
    pub stopped: Option<Instant>,
    pub ended: Instant,
    pub verdict: Verdict,
}

impl Seen {
    /// Seconds at which `name` started.
    pub fn starts_of(&self, name: &str) -> Vec<f64> {
        let of_name = self.starts.iter().filter(|(_, action)| action.name == name);
        of_name.map(|(time, _)| *time as f64 / 1e9).collect()
    }

    pub fn in_order(&self) -> String {
        let lines = self
            .starts
            .iter()
            .map(|(time, action)| format!("{} {}", *time as f64 / 1e9, action.name));
        lines.collect::<Vec<_>>().join(", ")
    }

    pub fn said(&self) -> String {
        let lines = self
            .log
            .iter()
            .map(|(level, message)| format!("{level:?} {message}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn ended_at(&self) -> f64 {
        self.ended as f64 / 1e9
    }

    pub fn reason(&self) -> &str {
        match &self.verdict {
            Verdict::Passed => "",
            Verdict::Failed(why) => why,
        }
    }
}

pub struct World<'a> {
    pub description: &'a str,
    pub seed: u64,
    /// How the `n`th run, from 1, of an event goes.
    pub body: &'a dyn Fn(&str, u64) -> Body,
    /// When the kill switch is set.
    pub killed: Option<Instant>,
    /// Nobody calls between these.
    pub gone: Option<(Instant, Instant)>,
}

impl Default for World<'_> {
    fn default() -> Self {
        Self {
            description: "{}",
            seed: 0,
            body: &|_, _| Body::lasts(0),
            killed: None,
            gone: None,
        }
    }
}

pub fn conductor(description: &str, seed: u64) -> Conductor {
    Conductor::new(Description::parse(description, None, seed).unwrap())
}

/// What an instance that has the calls of another one came to.
pub type Calls = Vec<(Instant, Vec<Completion>, bool)>;

impl World<'_> {
    pub fn run(&self) -> Seen {
        self.run_with_calls().0
    }

    pub fn run_with_calls(&self) -> (Seen, Calls, Vec<Step>) {
        let mut conductor = conductor(self.description, self.seed);
        let (mut calls, mut steps) = (Calls::new(), Vec::new());
        let mut seen = Seen {
            starts: Vec::new(),
            log: Vec::new(),
            stopped: None,
            ended: 0,
            verdict: Verdict::Passed,
        };
        // By when they end and in which order they began.
        let mut running: BTreeMap<(Instant, u32), Completion> = BTreeMap::new();
        let mut heeding: Vec<u32> = Vec::new();
        let mut runs: BTreeMap<String, u64> = BTreeMap::new();
        let mut now = 0;
        for _ in 0..20_000_000_u64 {
            let mut completed = Vec::new();
            while let Some(entry) = running.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                completed.push(entry.remove());
            }
            let killed = self.killed.is_some_and(|time| time <= now);
            let step = conductor.advance(now, &completed, killed);
            calls.push((now, completed, killed));
            steps.push(step.clone());
            seen.log.extend(step.log);
            for action in step.start {
                let run = runs.entry(action.name.clone()).or_default();
                *run += 1;
                let body = (self.body)(&action.name, *run);
                let completion = Completion {
                    instance: action.instance,
                    ok: body.raises.is_none(),
                    message: body.raises.unwrap_or_default().to_owned(),
                };
                if let Some(lasts) = body.lasts {
                    running.insert((now + lasts, action.instance), completion);
                } else if body.heeds {
                    heeding.push(action.instance);
                }
                seen.starts.push((now, action));
            }
            if step.stop {
                seen.stopped.get_or_insert(now);
                for instance in heeding.drain(..) {
                    let completion = Completion {
                        instance,
                        ok: true,
                        message: String::new(),
                    };
                    running.insert((now, instance), completion);
                }
            }
            if let Some(verdict) = step.verdict {
                seen.verdict = verdict;
                seen.ended = now;
                return (seen, calls, steps);
            }
            let next_end = running.first_key_value().map(|((time, _), _)| *time);
            let kill = self.killed.filter(|time| *time > now);
            let next = [step.wake_at, next_end, kill].into_iter().flatten().min();
            now = next.expect("nothing will ever happen").max(now);
            if let Some((from, until)) = self.gone
                && (from..until).contains(&now)
            {
                now = until;
            }
        }
        panic!("it never ends");
    }
}

pub fn run(description: &str) -> Seen {
    World {
        description,
        ..World::default()
    }
    .run()
}
