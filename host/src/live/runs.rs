//! The runs that somebody wants to know of: one thread reads them for all, while there
//! is anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::NotThere;
use super::board::{Board, Joined, Resume};
use super::list::List;
use super::run::Reader;
use crate::state::StateFolder;
use crate::topic::Topics;

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);
/// Time to read in, before subscribers are told.
const BUDGET: Duration = Duration::from_millis(500);
/// Runs that are over and still in the list.
const ENDED: usize = 20;
const LIST: &str = "runs";

pub struct Runs {
    topics: Topics,
    state: StateFolder,
    shared: Mutex<Shared>,
}

type Boards = BTreeMap<String, Arc<Board>>;

#[derive(Default)]
struct Shared {
    /// By run.
    boards: Boards,
    list: Option<Arc<Board>>,
    /// A thread is at work.
    at_work: bool,
}

impl Runs {
    #[must_use]
    pub fn new(topics: Topics, state: StateFolder) -> Arc<Self> {
        Arc::new(Self {
            topics,
            state,
            shared: Mutex::default(),
        })
    }

    /// Subscribes to the list.
    pub fn join_list(
        self: &Arc<Self>,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        let board = {
            let mut shared = self.shared();
            let new = || Arc::new(Board::new(self.topics.clone(), LIST));
            let board = Arc::clone(shared.list.get_or_insert_with(new));
            board.touch();
            self.work(&mut shared)?;
            board
        };
        board.join(resume, bell)
    }

    /// Subscribes to a run.
    pub fn join(
        self: &Arc<Self>,
        id: &str,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        if !self.state.runs().iter().any(|known| known == id) {
            return Err(NotThere::Run(crate::text::brief(id)));
        }
        let board = {
            let mut shared = self.shared();
            let new = || Arc::new(Board::new(self.topics.clone(), &format!("run/{id}")));
            let boards = &mut shared.boards;
            let board = Arc::clone(boards.entry(id.to_owned()).or_insert_with(new));
            board.touch();
            self.work(&mut shared)?;
            board
        };
        board.join(resume, bell)
    }

    fn work(self: &Arc<Self>, shared: &mut Shared) -> std::io::Result<()> {
        if !shared.at_work {
            let runs = Arc::clone(self);
            let thread = std::thread::Builder::new().name("runs".into());
            thread.spawn(move || Work::new(runs).go_on())?;
            shared.at_work = true;
        }
        Ok(())
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread has.
struct Work {
    runs: Arc<Runs>,
    readers: BTreeMap<String, Reader>,
    /// Runs that the list has been asked about.
    known: Option<BTreeSet<String>>,
    listed: BTreeSet<String>,
    list: List,
}

impl Work {
    fn new(runs: Arc<Runs>) -> Self {
        Self {
            runs,
            readers: BTreeMap::new(),
            known: None,
            listed: BTreeSet::new(),
            list: List::default(),
        }
    }

    fn go_on(mut self) {
        while let Some((boards, list)) = self.wanted() {
            let more = self.look(&boards, list.as_deref());
            if !more {
                std::thread::sleep(LOOK);
            }
        }
    }

    /// What somebody wants to know; none where that is nothing, and this thread ends.
    fn wanted(&mut self) -> Option<(Boards, Option<Arc<Board>>)> {
        let mut shared = self.runs.shared();
        shared.boards.retain(|id, board| {
            let is_wanted = board.is_wanted();
            if !is_wanted {
                board.end();
                if let Some(reader) = self.readers.get_mut(id) {
                    reader.forget();
                }
            }
            is_wanted
        });
        if shared.list.as_ref().is_some_and(|list| !list.is_wanted()) {
            if let Some(list) = shared.list.take() {
                list.end();
            }
            (self.known, self.list) = (None, List::default());
            self.listed.clear();
        }
        if shared.boards.is_empty() && shared.list.is_none() {
            shared.at_work = false;
            return None;
        }
        Some((shared.boards.clone(), shared.list.clone()))
    }

    fn look(&mut self, boards: &Boards, list: Option<&Board>) -> bool {
        let until = Instant::now() + BUDGET;
        if list.is_some() {
            self.discover();
        }
        let listed = &self.listed;
        self.readers
            .retain(|id, _| boards.contains_key(id) || listed.contains(id));
        for id in boards.keys().chain(listed) {
            let reader = || Reader::new(id);
            self.readers.entry(id.clone()).or_insert_with(reader);
        }
        let mut more = false;
        for (id, reader) in &mut self.readers {
            let is_behind = reader.look(&self.runs.state, until);
            more |= is_behind;
            if let Some(board) = boards.get(id) {
                reader.tell(board, is_behind);
            }
        }
        // What is half read would be told as if it were so.
        if let Some(list) = list
            && (!more || list.has_state())
        {
            self.tell_list(list);
        }
        more
    }

    fn tell_list(&mut self, board: &Board) {
        let listed = self.readers.iter();
        let listed = listed.filter(|(id, _)| self.listed.contains(*id));
        let items = listed.filter_map(|(id, reader)| {
            let item = serde_json::to_value(reader.summary()).ok()?;
            Some((id.clone(), item))
        });
        let change = self.list.set(items.collect());
        if change.is_some() || !board.has_state() {
            // The first ones are in the state already.
            let changes = change.filter(|_| board.has_state());
            board.put(changes.into_iter().collect(), self.list.render());
        }
    }

    /// Those that run, those that are new, and of the others the last, as `host watch`
    /// has them.
    fn discover(&mut self) {
        let state = &self.runs.state;
        let ids = state.runs();
        self.listed.retain(|id| ids.contains(id));
        let first = self.known.is_none();
        let known = self.known.get_or_insert_default();
        let last = ids.iter().rev().find(|id| first && !state.is_owned(id));
        for id in &ids {
            let is_new = known.insert(id.clone()) && !first;
            if is_new || last == Some(id) || !self.listed.contains(id) && state.is_owned(id) {
                self.listed.insert(id.clone());
            }
        }
        let over = |id: &&String| self.readers.get(*id).is_some_and(Reader::is_over);
        let over: Vec<String> = self.listed.iter().filter(over).cloned().collect();
        for id in over.iter().take(over.len().saturating_sub(ENDED)) {
            self.listed.remove(id);
        }
    }
}
