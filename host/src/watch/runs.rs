//! The runs that are watched, each behind a cursor into its journal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::model::{Note, Run};
use super::step::Step;
use crate::journal::{BatchLimit, JournalError, JournalReader, Seq, SinkProgress};
use crate::state::StateFolder;

/// What is read at once.
const BATCH: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 8 << 20,
};
/// How long reading all of a run may take.
const REFRESH: Duration = Duration::from_secs(10);
/// Runs that are over and still shown.
const ENDED: usize = 20;

/// What becomes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Running,
    /// Nothing follows.
    Finished,
    /// Its core is gone before it was finished.
    Lost,
    /// Its journal cannot be read.
    Unreadable(String),
}

impl State {
    /// Of a run whose journal is closed or not, and owned by a core or not.
    #[must_use]
    pub fn of(is_closed: bool, is_owned: bool) -> Self {
        match (is_closed, is_owned) {
            (true, _) => Self::Finished,
            (false, true) => Self::Running,
            (false, false) => Self::Lost,
        }
    }

    /// Why it cannot be read.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Unreadable(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Lost => "lost",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// A run that is watched.
#[derive(Default)]
pub struct Watched {
    pub id: String,
    pub run: Run,
    pub state: State,
    /// A core works on it: it runs, or sinks get what they have not got.
    pub is_owned: bool,
    pub sinks: Vec<SinkProgress>,
    /// What happened since somebody took this out.
    pub notes: Vec<Note>,
    /// The same in all detail, where somebody asks for it.
    pub steps: Option<Vec<Step>>,
    reader: Option<JournalReader>,
    cursor: Seq,
    closed: bool,
    /// The journal may have more than was read.
    behind: bool,
    /// All is read, and no core will write any more.
    at_rest: bool,
}

impl Watched {
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            behind: true,
            ..Self::default()
        }
    }

    /// Nobody works on it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.behind && !self.is_owned && self.state != State::Running
    }

    /// Sinks are getting what they have not got.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        self.is_owned && self.state == State::Finished
    }

    /// Reads all that there is, for whoever wants no notes.
    pub fn refresh(&mut self, state: &StateFolder) {
        let patience = Instant::now() + REFRESH;
        while self.look(state, patience) && Instant::now() < patience {}
        self.notes.clear();
    }

    /// Closes the journal until it is looked at again, which goes on where this one ended.
    pub fn let_go(&mut self) {
        self.reader = None;
    }

    /// Reads on; answers whether there is more than there was time for.
    pub(crate) fn look(&mut self, state: &StateFolder, until: Instant) -> bool {
        // Asked before the journal is: a core closes it, and goes after that.
        self.is_owned = state.is_owned(&self.id);
        if self.at_rest && !self.is_owned {
            return false;
        }
        self.at_rest = false;
        match self.read(&state.journal_of(&self.id), until) {
            Ok(()) => {}
            Err(error) if error.is_busy() => return false,
            Err(error) => {
                self.reader = None;
                self.behind = false;
                self.at_rest = true;
                self.state = State::Unreadable(error.to_string());
                return false;
            }
        }
        if !self.behind {
            self.state = State::of(self.closed, self.is_owned);
            let delivered = self.sinks.iter().all(|sink| sink.closed);
            if self.closed && delivered && !self.is_owned {
                self.at_rest = true;
                self.reader = None;
            }
        }
        self.behind
    }

    fn read(&mut self, journal: &Path, until: Instant) -> Result<(), JournalError> {
        if self.reader.is_none() {
            self.reader = JournalReader::open(journal)?;
        }
        let Some(reader) = &mut self.reader else {
            self.behind = false;
            return Ok(());
        };
        if !reader.has_changed()? && !self.behind {
            return Ok(());
        }
        self.behind = true;
        let head = reader.head()?;
        while self.cursor < head.last {
            if Instant::now() >= until {
                return Ok(());
            }
            for envelope in reader.read(self.cursor, BATCH)? {
                self.cursor = envelope.seq;
                let note = match &mut self.steps {
                    Some(steps) => Step::take(&mut self.run, envelope, steps),
                    None => self.run.take(envelope),
                };
                self.notes.extend(note);
            }
        }
        self.sinks = reader.sinks()?;
        self.closed = head.closed;
        self.behind = false;
        Ok(())
    }
}

/// Finds runs and reads them.
pub struct Watcher {
    root: PathBuf,
    /// The one run to watch.
    only: Option<String>,
    state: Option<StateFolder>,
    known: BTreeSet<String>,
    /// In the order in which they were started.
    runs: Vec<Watched>,
}

impl Watcher {
    /// Watches the runs of `root`, or one of them only.
    #[must_use]
    pub fn new(root: &Path, only: Option<&str>) -> Self {
        Self {
            root: root.to_owned(),
            only: only.map(str::to_owned),
            state: None,
            known: BTreeSet::new(),
            runs: Vec::new(),
        }
    }

    #[must_use]
    pub fn runs(&self) -> &[Watched] {
        &self.runs
    }

    pub fn runs_mut(&mut self) -> &mut [Watched] {
        &mut self.runs
    }

    /// No core works on any of the runs.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.runs.iter().all(Watched::is_over)
    }

    /// Looks what is new, for about `budget`; answers whether there is more.
    pub fn look(&mut self, budget: Duration) -> bool {
        let until = Instant::now() + budget;
        if self.state.is_none() {
            self.state = StateFolder::find(&self.root);
        }
        let Some(state) = self.state.take() else {
            return false;
        };
        self.discover(&state);
        let mut more = false;
        for run in &mut self.runs {
            more |= run.look(&state, until);
        }
        self.state = Some(state);
        more
    }

    /// Those that run, those that are new, and of the others the last.
    fn discover(&mut self, state: &StateFolder) {
        let ids = state.runs();
        // A run that nothing came of is removed.
        self.runs.retain(|run| ids.contains(&run.id));
        if let Some(only) = &self.only {
            if self.runs.is_empty() && ids.contains(only) {
                self.runs.push(Watched::new(only));
            }
            return;
        }
        let first = self.known.is_empty();
        let last = ids.iter().rev().find(|id| !state.is_owned(id));
        for id in &ids {
            if self.runs.iter().any(|run| run.id == *id) {
                continue;
            }
            let new = self.known.insert(id.clone());
            if new && !first || last == Some(id) && first || state.is_owned(id) {
                self.runs.push(Watched::new(id));
            }
        }
        self.runs.sort_by(|a, b| a.id.cmp(&b.id));
        self.forget();
    }

    fn forget(&mut self) {
        let ended = self.runs.iter().filter(|run| run.is_over()).count();
        let mut surplus = ended.saturating_sub(ENDED);
        self.runs.retain(|run| {
            let forget = surplus > 0 && run.is_over();
            surplus -= usize::from(forget);
            !forget
        });
    }
}

#[cfg(test)]
mod tests;
