//! The pauses that are open, in whatever core: a thread asks the cores, while there is
//! anybody who wants to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::NotThere;
use super::board::{Board, Joined, Resume};
use super::list::List;
use crate::control;
use crate::protocol::control::{FromControl, OpenPause, ToControl};
use crate::protocol::pause::Pause;
use crate::state::StateFolder;
use crate::topic::Topics;

/// How often to look.
const LOOK: Duration = Duration::from_millis(250);
/// How long a core may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
const NAME: &str = "pauses";

/// A pause that is open.
#[derive(Debug, Serialize, ToSchema)]
pub struct PauseItem {
    run: String,
    #[serde(flatten)]
    pause: Pause,
}

pub struct Pauses {
    topics: Topics,
    state: StateFolder,
    board: Mutex<Option<Arc<Board>>>,
}

impl Pauses {
    #[must_use]
    pub fn new(topics: Topics, state: StateFolder) -> Arc<Self> {
        Arc::new(Self {
            topics,
            state,
            board: Mutex::default(),
        })
    }

    pub fn join(
        self: &Arc<Self>,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        let mut found = self.board();
        let board = match &*found {
            Some(board) => Arc::clone(board),
            None => {
                let board = Arc::new(Board::new(self.topics.clone(), NAME));
                let (pauses, told) = (Arc::clone(self), Arc::clone(&board));
                let thread = std::thread::Builder::new().name(NAME.into());
                thread.spawn(move || pauses.follow(&told))?;
                *found = Some(Arc::clone(&board));
                board
            }
        };
        board.touch();
        drop(found);
        board.join(resume, bell)
    }

    fn follow(&self, board: &Board) {
        let mut list = List::default();
        loop {
            {
                let mut found = self.board();
                if !board.is_wanted() {
                    board.end();
                    *found = None;
                    return;
                }
            }
            let change = list.set(open(&self.state));
            if change.is_some() || !board.has_state() {
                let changes = change.filter(|_| board.has_state());
                board.put(changes.into_iter().collect(), list.render());
            }
            std::thread::sleep(LOOK);
        }
    }

    fn board(&self) -> MutexGuard<'_, Option<Arc<Board>>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every pause that waits now, by its id.
fn open(state: &StateFolder) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for mut core in control::living(state) {
        core.give_up_after(PATIENCE);
        let Ok(ToControl::Pauses { pauses }) = core.ask(&FromControl::Pauses) else {
            continue;
        };
        for OpenPause { run, pause, .. } in pauses {
            let id = pause.id.clone();
            if let Ok(item) = serde_json::to_value(PauseItem { run, pause }) {
                found.insert(id, item);
            }
        }
    }
    found
}
