//! The jobs, and what each of them prints, while there is anybody who wants to know.

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
use super::output::Printed;
use crate::job::{Job, Jobs, Output};
use crate::topic::Topics;

const LIST: &str = "jobs";
/// How often to look which jobs are gone, and whether anybody still listens.
const LOOK: Duration = Duration::from_secs(1);
/// So that what comes in quick succession is told at once.
const GATHER: Duration = Duration::from_millis(20);

/// A job in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobItem {
    id: String,
    /// `created`, `collected`, `in-progress`, `terminating` or `done`.
    state: &'static str,
    /// The process's exit code, or -n where the signal n ended it.
    returncode: Option<i32>,
}

impl From<Job> for JobItem {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            state: job.state.word(),
            returncode: job.returncode,
        }
    }
}

pub struct JobTopics {
    topics: Topics,
    jobs: Jobs,
    boards: Mutex<Boards>,
}

#[derive(Default)]
struct Boards {
    list: Option<Arc<Board>>,
    /// By job.
    outputs: BTreeMap<String, Arc<Board>>,
}

impl JobTopics {
    #[must_use]
    pub fn new(topics: Topics, jobs: Jobs) -> Arc<Self> {
        Arc::new(Self {
            topics,
            jobs,
            boards: Mutex::default(),
        })
    }

    /// Subscribes to the list. To be called within a runtime, as the next one.
    pub fn join_list(
        self: &Arc<Self>,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        let board = {
            let mut boards = self.boards();
            let board = boards.list.get_or_insert_with(|| {
                let board = Arc::new(Board::new(self.topics.clone(), LIST));
                tokio::spawn(Arc::clone(self).follow(Arc::clone(&board)));
                board
            });
            board.touch();
            Arc::clone(board)
        };
        board.join(resume, bell)
    }

    /// Subscribes to what a job prints.
    pub fn join_output(
        self: &Arc<Self>,
        id: &str,
        resume: Option<&Resume>,
        bell: &Arc<Notify>,
    ) -> Result<Joined, NotThere> {
        let output = self.jobs.output(id);
        let output = output.map_err(|_| NotThere::Job(crate::text::brief(id)))?;
        let board = {
            let mut boards = self.boards();
            let board = boards.outputs.entry(id.to_owned()).or_insert_with(|| {
                let name = format!("job/{id}/output");
                let board = Arc::new(Board::new(self.topics.clone(), &name));
                let follow =
                    Arc::clone(self).follow_output(id.to_owned(), output, Arc::clone(&board));
                tokio::spawn(follow);
                board
            });
            board.touch();
            Arc::clone(board)
        };
        board.join(resume, bell)
    }

    async fn follow(self: Arc<Self>, board: Arc<Board>) {
        let mut messages = self.jobs.messages();
        let mut list = List::default();
        loop {
            let items = self.jobs.states().into_iter().map(item).collect();
            let change = list.set(items);
            if change.is_some() || !board.has_state() {
                let changes = change.filter(|_| board.has_state());
                board.put(changes.into_iter().collect(), list.render());
            }
            if self.ends(&board, |boards| boards.list = None) {
                return;
            }
            tokio::select! {
                // One that is missed is in the list all the same.
                _ = messages.recv() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(LOOK) => {}
            }
            messages = messages.resubscribe();
        }
    }

    async fn follow_output(self: Arc<Self>, id: String, output: Output, board: Arc<Board>) {
        if let Err(error) = self.tell_output(&id, output, &board).await {
            tracing::warn!("the output of the job {id:?} cannot be followed: {error}");
        }
        while !self.ends(&board, |boards| drop(boards.outputs.remove(&id))) {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn tell_output(
        &self,
        id: &str,
        mut output: Output,
        board: &Board,
    ) -> std::io::Result<()> {
        let mut printed = Printed::default();
        let there = output.length().await?;
        output.seek(there.saturating_sub(Printed::TAIL));
        while printed.end() < there
            && let Some(chunk) = output.read(u64::MAX).await?
        {
            printed.add(&chunk);
        }
        board.put(Vec::new(), printed.render());
        loop {
            tokio::select! {
                chunk = output.next() => {
                    let change = match chunk? {
                        Some(chunk) => printed.add(&chunk),
                        None => printed.finish(),
                    };
                    board.put(change.into_iter().collect(), printed.render());
                    if printed.is_whole() {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(LOOK) => {
                    if !board.is_wanted() {
                        tracing::debug!("nobody listens to {id:?} any more");
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whether nobody wants to know any more; then the board is taken away.
    fn ends(&self, board: &Board, remove: impl FnOnce(&mut Boards)) -> bool {
        let mut boards = self.boards();
        if board.is_wanted() {
            return false;
        }
        board.end();
        remove(&mut boards);
        true
    }

    fn boards(&self) -> MutexGuard<'_, Boards> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn item(job: Job) -> (String, Value) {
    let id = job.id.clone();
    let item = serde_json::to_value(JobItem::from(job));
    (id, item.unwrap_or_default())
}
