//! One run: its journal, the thread that fills it and the workers that empty it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::config::{BadInput, SinkSpec};
use crate::dispatch::{self, Phase, SinkHandle};
use crate::guest::sink::Sink;
use crate::intake::{Command, Follower, is_running};
use crate::journal::{Head, Journal, JournalError, SqliteJournal};
use crate::protocol::message::SinkReport;
use crate::state::RunFolder;

/// A run that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("{path}: {error}", path = path.display())]
    Folder { path: PathBuf, error: io::Error },
}

/// A run that this process owns.
pub struct Run {
    folder: Option<RunFolder>,
    journal: Arc<dyn Journal>,
    intake: mpsc::Sender<Command>,
    follower: Mutex<Option<JoinHandle<()>>>,
    head: watch::Receiver<Head>,
    sinks: Mutex<Vec<SinkHandle>>,
    /// Processes that had not said goodbye when the run was taken up.
    open: Vec<u32>,
}

impl Run {
    /// Opens the journal in `folder` and starts to follow the run's segments.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be used.
    pub fn start(folder: RunFolder) -> Result<Self, RunError> {
        let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&folder.journal())?);
        let (head_sender, head) = watch::channel(journal.head()?);
        let (intake, commands) = mpsc::channel();
        let mut follower = None;
        let mut open = Vec::new();
        if !head.borrow().closed {
            let follow = Follower::new(
                &folder.id,
                folder.segments(),
                Arc::clone(&journal),
                head_sender,
            )?;
            open = follow.open_processes();
            let thread = std::thread::Builder::new()
                .name("intake".into())
                .spawn(move || {
                    if let Err(error) = follow.run(&commands) {
                        tracing::error!("intake ended: {error}");
                    }
                });
            follower = Some(thread.map_err(|error| RunError::Folder {
                path: folder.path.clone(),
                error,
            })?);
        }
        Ok(Self {
            folder: Some(folder),
            journal,
            intake,
            follower: Mutex::new(follower),
            head,
            sinks: Mutex::default(),
            open,
        })
    }

    /// Of the processes that wrote to a run that was taken up, those that still
    /// run and so may write more.
    #[must_use]
    pub fn living_processes(&self) -> Vec<u32> {
        self.open
            .iter()
            .copied()
            .filter(|pid| is_running(*pid))
            .collect()
    }

    /// Whether nothing is left to do: the run is over and every sink has all of it.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn is_finished(&self) -> Result<bool, JournalError> {
        if !self.journal.head()?.closed {
            return Ok(false);
        }
        for spec in self.journal.sinks()? {
            if !self.journal.standing(&spec.name)?.closed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[must_use]
    pub fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }

    /// Tells the thread that follows the segments.
    pub fn tell(&self, command: Command) {
        // Once it has closed the journal there is nothing left to be told.
        let _ = self.intake.send(command);
    }

    /// The sinks that the journal knows of, as they were configured.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn specs(&self) -> Result<Vec<SinkSpec>, JournalError> {
        self.journal.sinks()
    }

    /// Writes the sinks down and starts a worker for each.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be written or no thread started.
    pub fn deliver(&self, sinks: &[Sink]) -> Result<(), RunError> {
        for sink in sinks {
            self.journal.register(&sink.spec)?;
        }
        let mut running = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        for sink in sinks {
            let handle =
                dispatch::spawn(sink.clone(), Arc::clone(&self.journal), self.head.clone())
                    .map_err(|error| RunError::Folder {
                        path: PathBuf::from(&sink.spec.name),
                        error,
                    })?;
            running.push(handle);
        }
        Ok(())
    }

    /// Where each sink stands.
    #[must_use]
    pub fn reports(&self) -> Vec<SinkReport> {
        let head = *self.head.borrow();
        self.with_sinks(|sink| sink.standing.borrow().report(head))
    }

    /// Nothing will be appended to the journal any more, or not by this process.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        self.head.borrow().closed || follower.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Every sink is done, or given up on.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.is_closed() && self.phases(|phase| matches!(phase, Phase::Done | Phase::Failed))
    }

    /// Every sink has done what it can for now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_closed() && self.phases(|phase| phase != Phase::Working)
    }

    /// Every sink has what is in the journal now.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.reports().iter().all(|sink| sink.left == 0)
    }

    /// Asks all workers to end after the call they are in.
    pub fn stop(&self) {
        self.with_sinks(SinkHandle::stop);
    }

    /// Waits for the thread that follows the segments; it ends with the run.
    pub fn join(&self) {
        let thread = self
            .follower
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the intake thread panicked");
        }
    }

    /// Removes a run that nothing came of.
    pub fn discard(mut self) {
        self.tell(Command::Abandon);
        self.join();
        if let Some(folder) = self.folder.take()
            && let Err(error) = folder.remove()
        {
            tracing::warn!("cannot remove a run that did not begin: {error}");
        }
    }

    fn phases(&self, wanted: impl Fn(Phase) -> bool) -> bool {
        self.with_sinks(|sink| wanted(sink.standing.borrow().phase))
            .into_iter()
            .all(|is| is)
    }

    fn with_sinks<T>(&self, each: impl FnMut(&SinkHandle) -> T) -> Vec<T> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.iter().map(each).collect()
    }
}

/// Loads sinks, one after another; the first that is not right is bad input.
///
/// # Errors
///
/// What is wrong with it.
pub fn load(specs: Vec<SinkSpec>, forbidden: &[PathBuf]) -> Result<Vec<Sink>, BadInput> {
    specs
        .into_iter()
        .map(|spec| Sink::load(spec, forbidden))
        .collect()
}
