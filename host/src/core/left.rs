//! A run that somebody left, taken up: its sinks go on where they were.

use std::time::Duration;

use super::run::Run;
use crate::config::{Config, SinkSpec};
use crate::guest::sink::Sink;
use crate::intake::Command;
use crate::protocol::message::SinkReport;
use crate::state::{RuntimeFolder, StateFolder};
use crate::topic::Topics;

/// Why a run is not taken up.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("a core is at work on it")]
    Owned,
    #[error("nothing is left of it")]
    Nothing,
    #[error("its pytest still runs")]
    Alive,
    #[error("{0}")]
    Bad(String),
}

impl Refused {
    fn bad(error: impl std::fmt::Display) -> Self {
        Self::Bad(error.to_string())
    }
}

/// What to do where processes still write to the run, without a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Living {
    /// Deliver it as far as it has come.
    Follow,
    /// Leave it to them.
    Spare,
}

/// A run that this process has taken up.
pub struct Left {
    run: Run,
    /// The processes that still write to it.
    pub alive: Vec<u32>,
    /// Those that were chosen, and what is wrong with them.
    sinks: Vec<(SinkSpec, Option<String>)>,
}

impl Left {
    /// Takes up the run `id` and sets those of its sinks to work that are chosen
    /// and have something left, with the secrets that `config` has. Where its pytest
    /// died, it is closed. A sink that cannot be loaded does not stand in the way of
    /// the others.
    ///
    /// # Errors
    ///
    /// Where somebody else is at work on it, nothing is left or it cannot be used.
    pub fn take_up(
        state: &StateFolder,
        config: &Config,
        id: &str,
        choose: impl Fn(&SinkSpec) -> bool,
        living: Living,
        topics: &Topics,
    ) -> Result<Self, Refused> {
        let folder = state
            .take_up(id)
            .map_err(|error| Refused::Bad(format!("cannot be opened: {error}")))?
            .ok_or(Refused::Owned)?;
        let mut run = Run::start(folder).map_err(Refused::bad)?;
        run.publish_to(topics.clone());
        let alive = run.living_processes();
        if living == Living::Spare && !alive.is_empty() {
            return Err(Refused::Alive);
        }
        let mut specs = run.specs().map_err(Refused::bad)?;
        specs.retain(choose);
        let mut at_work = Vec::new();
        for spec in &specs {
            let known = run.known(&spec.name).map_err(Refused::bad)?;
            // One that was given up on gets another chance where a person asks.
            let given_up = known.disabled && living == Living::Spare;
            if !known.closed && !given_up {
                at_work.push(spec.name.as_str());
            }
        }
        if at_work.is_empty() && run.is_complete().map_err(Refused::bad)? {
            return Err(Refused::Nothing);
        }
        let forbidden = [state.path().to_owned(), RuntimeFolder::base()];
        let (mut loaded, mut sinks) = (Vec::new(), Vec::new());
        for spec in &specs {
            let mut problem = None;
            if at_work.contains(&spec.name.as_str()) {
                let restored = spec.restored(config);
                match restored.and_then(|spec| Sink::load(spec, &forbidden)) {
                    Ok(sink) => loaded.push(sink),
                    Err(bad) => problem = Some(bad.to_string()),
                }
            }
            sinks.push((spec.clone(), problem));
        }
        if alive.is_empty() {
            run.tell(Command::Abandon);
        }
        run.deliver(&loaded).map_err(Refused::bad)?;
        Ok(Self { run, alive, sinks })
    }

    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Where each sink stands that was chosen, at work or not.
    #[must_use]
    pub fn reports(&self) -> Vec<SinkReport> {
        let at_work = self.run.reports();
        let report = |(spec, problem): &(SinkSpec, Option<String>)| {
            let found = at_work.iter().find(|report| report.name == spec.name);
            let mut report = match found {
                Some(report) => report.clone(),
                None => self.run.report(&spec.name).ok()?,
            };
            report.error = problem.clone().or(report.error);
            Some(report)
        };
        self.sinks.iter().filter_map(report).collect()
    }

    /// Of the sinks that were chosen, those that have something left.
    #[must_use]
    pub fn behind(&self) -> Vec<SinkSpec> {
        let reports = self.reports();
        let is_behind = |spec: &SinkSpec| {
            let mut left = reports.iter().filter(|report| report.left > 0);
            left.any(|report| report.name == spec.name)
        };
        let specs = self.sinks.iter().map(|(spec, _)| spec);
        specs.filter(|spec| is_behind(spec)).cloned().collect()
    }

    /// See [`Run::leave`].
    pub fn leave(self, patience: Duration) {
        self.run.leave(patience);
    }
}
