//! One run: its journal, the thread that fills it and the workers that empty it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::changes::Changes;

use crate::config::{BadInput, SinkSpec};
use crate::dispatch::{self, Order, Orders, Phase, Refused, SinkHandle, Standing};
use crate::guest::sink::Sink;
use crate::intake::{Command, Follower, is_running};
use crate::journal::{self, Head, Journal, JournalError, SqliteJournal, Tail};
use crate::protocol::message::SinkReport;
use crate::state::RunFolder;
use crate::topic::Topics;

/// How often to look whether workers have ended.
const LOOK: Duration = Duration::from_millis(10);

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
    journal: Arc<dyn Journal>,
    /// Taken away to end the thread that fills the journal.
    intake: Option<mpsc::Sender<Command>>,
    follower: Mutex<Option<JoinHandle<()>>>,
    head: watch::Receiver<Head>,
    sinks: Mutex<Vec<SinkHandle>>,
    changes: Changes,
    /// Where its sinks publish.
    topics: Topics,
    /// Processes that had not said goodbye when the run was taken up.
    open: Vec<u32>,
    /// Let go of last, when the journal is closed.
    folder: Option<RunFolder>,
}

impl Run {
    /// Opens the journal in `folder` and starts to follow the run's segments.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be used.
    pub fn start(folder: RunFolder) -> Result<Self, RunError> {
        Self::start_within(folder, u64::MAX)
    }

    /// As [`start`](Self::start), with a journal that is full from `limit` bytes on.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be used.
    pub fn start_within(folder: RunFolder, limit: u64) -> Result<Self, RunError> {
        let stored = SqliteJournal::open(&folder.journal())?;
        let journal: Arc<dyn Journal> = Arc::new(Tail::new(stored, limit)?);
        let head = journal.head()?;
        if head.closed {
            return Ok(Self {
                folder: Some(folder),
                journal,
                intake: None,
                follower: Mutex::default(),
                head: watch::channel(head).1,
                sinks: Mutex::default(),
                changes: Changes::default(),
                topics: Topics::off(),
                open: Vec::new(),
            });
        }
        let (sender, head) = watch::channel(head);
        let (id, segments) = (&folder.id, folder.segments());
        let follow = Follower::new(id, segments, Arc::clone(&journal), sender)?;
        let open = follow.open_processes();
        let fill = move |commands: &mpsc::Receiver<Command>| {
            if let Err(error) = follow.run(commands) {
                tracing::error!("intake ended: {error}");
            }
        };
        let mut run = Self::filled(journal, head, fill).map_err(|error| RunError::Folder {
            path: folder.path.clone(),
            error,
        })?;
        run.folder = Some(folder);
        run.open = open;
        Ok(run)
    }

    /// A run with a journal that `fill` fills, on a thread of its own, until it
    /// returns; it has to when nobody is left to give commands.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub fn filled(
        journal: Arc<dyn Journal>,
        head: watch::Receiver<Head>,
        fill: impl FnOnce(&mpsc::Receiver<Command>) + Send + 'static,
    ) -> io::Result<Self> {
        let (intake, commands) = mpsc::channel();
        let thread = std::thread::Builder::new().name("intake".into());
        let follower = thread.spawn(move || fill(&commands))?;
        Ok(Self {
            folder: None,
            journal,
            intake: Some(intake),
            follower: Mutex::new(Some(follower)),
            head,
            sinks: Mutex::default(),
            changes: Changes::default(),
            topics: Topics::off(),
            open: Vec::new(),
        })
    }

    /// Of sinks that are delivered to from here on, `topics` gets what they publish.
    pub fn publish_to(&mut self, topics: Topics) {
        self.topics = topics;
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

    /// Whether all that will ever be reported is in the journal.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn is_complete(&self) -> Result<bool, JournalError> {
        Ok(self.journal.head()?.closed)
    }

    #[must_use]
    pub fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }

    #[must_use]
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.journal)
    }

    /// Tells the thread that follows the segments.
    pub fn tell(&self, command: Command) {
        if let Some(intake) = &self.intake {
            // Once it has closed the journal there is nothing left to be told.
            let _ = intake.send(command);
        }
    }

    /// The sinks that the journal knows of, as they were configured.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn specs(&self) -> Result<Vec<SinkSpec>, JournalError> {
        self.journal.sinks()
    }

    /// See [`SinkSpec::to_be_given_again`]; of every sink that the journal knows of.
    #[must_use]
    pub fn to_be_given_again(&self) -> Vec<String> {
        let specs = self.specs().unwrap_or_default();
        specs.iter().flat_map(SinkSpec::to_be_given_again).collect()
    }

    /// Writes the sinks down that are to get the run, before they are loaded.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be written.
    pub fn expect(&self, specs: &[SinkSpec]) -> Result<(), RunError> {
        for spec in specs {
            self.journal.register(spec)?;
        }
        Ok(())
    }

    /// Writes the sinks down and starts a worker for each, in place of one that has ended.
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
            let (journal, head) = (Arc::clone(&self.journal), self.head.clone());
            let handle = dispatch::spawn(sink.clone(), journal, head, self.topics.clone())
                .map_err(|error| RunError::Folder {
                    path: PathBuf::from(&sink.spec.name),
                    error,
                })?;
            running.retain(|other| other.sink.spec.name != sink.spec.name);
            running.push(handle);
        }
        Ok(())
    }

    /// What became of changes since the run began.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// A sink of the run, as it is now.
    #[must_use]
    pub fn sink(&self, name: &str) -> Option<Sink> {
        self.with_sink(name, |handle| handle.sink.clone())
    }

    /// Lets `sink` take over from the one of its name, between two batches.
    ///
    /// # Errors
    ///
    /// Why the other one goes on.
    pub async fn swap(&self, sink: Sink) -> Result<(), Refused> {
        let name = sink.spec.name.clone();
        let orders = self.orders(&name).ok_or(Refused::Over)?;
        orders.give(Order::Swap(Box::new(sink.clone()))).await?;
        self.with_sink(&name, |handle| handle.sink = sink);
        Ok(())
    }

    /// Lets `sink` take over from the one of its name, or adds it to the run: one that
    /// is new gets all of it, one that was removed what it has missed.
    ///
    /// # Errors
    ///
    /// Why that is not so.
    pub async fn put(&self, sink: Sink) -> Result<(), Refused> {
        let name = sink.spec.name.clone();
        if self.orders(&name).is_some() {
            match self.swap(sink.clone()).await {
                Err(Refused::Over) if self.was_removed(&name) => {}
                swapped => return swapped,
            }
        }
        self.deliver(&[sink])
            .map_err(|error| Refused::Bad(error.to_string()))?;
        tracing::info!(sink = %name, "added");
        Ok(())
    }

    /// Takes a sink out of the run, between two batches.
    ///
    /// # Errors
    ///
    /// Where it has all of the run, or cannot be taken out.
    pub async fn remove(&self, name: &str) -> Result<(), Refused> {
        let orders = self.orders(name).ok_or(Refused::Over)?;
        orders.give(Order::Remove).await
    }

    fn orders(&self, name: &str) -> Option<Orders> {
        self.with_sink(name, |handle| handle.orders.clone())
    }

    fn was_removed(&self, name: &str) -> bool {
        self.with_sink(name, |handle| handle.standing.borrow().is_removed())
            .unwrap_or(false)
    }

    /// How far the journal is filled.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.head.borrow()
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

    /// Every sink has what is in the journal now, or is given up on.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        let head = *self.head.borrow();
        let caught_up = self.with_sinks(|sink| {
            let standing = sink.standing.borrow();
            standing.phase == Phase::Failed || standing.report(head).left == 0
        });
        caught_up.into_iter().all(|is| is)
    }

    /// Where a sink stands by the journal, whether or not it has a worker.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn known(&self, sink: &str) -> Result<journal::Standing, JournalError> {
        self.journal.standing(sink)
    }

    /// The report of a sink that has no worker.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn report(&self, sink: &str) -> Result<SinkReport, JournalError> {
        let known = self.known(sink)?;
        Ok(Standing::new(sink, &known).report(self.journal.head()?))
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

    /// Leaves the run to others once nothing of it is at work here any more. Where
    /// that takes longer than `patience`, say in a call of a sink, the run stays
    /// this process's until it ends: two of them would write down two truths.
    pub fn leave(self, patience: Duration) {
        self.stop();
        let started = Instant::now();
        // A worker has this until it ends.
        let at_work = |sink: &SinkHandle| sink.standing.has_changed().is_ok();
        while self.with_sinks(at_work).contains(&true) {
            if started.elapsed() > patience {
                std::mem::forget(self);
                return;
            }
            std::thread::sleep(LOOK);
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

    fn with_sink<T>(&self, name: &str, work: impl FnOnce(&mut SinkHandle) -> T) -> Option<T> {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = sinks.iter_mut();
        named.find(|sink| sink.sink.spec.name == name).map(work)
    }

    fn with_sinks<T>(&self, each: impl FnMut(&SinkHandle) -> T) -> Vec<T> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.iter().map(each).collect()
    }
}

impl Drop for Run {
    /// The journal has no writer any more when the folder has no owner.
    fn drop(&mut self) {
        self.stop();
        self.intake = None;
        self.join();
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
