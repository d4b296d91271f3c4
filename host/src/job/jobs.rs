//! All jobs of a host.

mod advance;
mod start;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};

use super::arguments::Arguments;
use super::output::Output;
use super::queue::{Entry, Table};
use super::record::{Outcome, Phase, Record};
use super::shim::STOP;
use super::text::LONGEST;
use super::view::{Seen, View};
use super::{Action, Job, JobError, Message, NewJob, Settings, State, folder};
use crate::state::private_folder;

/// The file that the host holds whose jobs these are.
pub(super) const LOCK: &str = "lock";
/// A reader that is further behind has missed something, and is told so.
const MESSAGES: usize = 256;
/// What a list of jobs has of texts, all together; each has its share.
const TEXTS_OF_A_LIST: u64 = 16 << 20;
/// An id that is longer is none.
const LONGEST_ID: usize = 1000;
/// How long a process is waited for beyond the time that it is given to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The jobs of a host; a clone is the same.
#[derive(Clone, Debug)]
pub struct Jobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    messages: broadcast::Sender<Message>,
    table: Mutex<Table>,
    runtime: Handle,
    _lock: File,
}

impl Jobs {
    /// Takes up the jobs in the folder: those that run go on being followed, those that
    /// waited go on waiting.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be used, or another host has it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let base = &settings.folder;
        private_folder(base)?;
        let lock = folder::lock(&base.join(LOCK))?
            .ok_or_else(|| io::Error::other("another host runs the jobs here"))?;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(base)? {
            let path = entry?.path();
            if !path.is_dir() {
                continue;
            }
            match Record::load(&path) {
                Ok(record) => entries.push(Entry::new(record, path)),
                Err(error) => tracing::warn!("no job is in {}: {error}", path.display()),
            }
        }
        let inner = Arc::new(Inner {
            settings,
            messages: broadcast::Sender::new(MESSAGES),
            table: Mutex::new(Table::new(entries)),
            runtime: Handle::current(),
            _lock: lock,
        });
        inner.take_up();
        Ok(Self { inner })
    }

    /// What happens to jobs from now on.
    #[must_use]
    pub fn messages(&self) -> broadcast::Receiver<Message> {
        self.inner.messages.subscribe()
    }

    /// Makes a job, and starts it where its turn has come. One that only collects is
    /// waited for.
    ///
    /// # Errors
    ///
    /// Where it cannot be made or may not be.
    pub async fn create(&self, new: NewJob) -> Result<Job, JobError> {
        let wait = new.collect_only;
        let named = new.id.clone().unwrap_or_default();
        let (number, mut seen, view) = self.blocking(move |inner| inner.create(new)).await?;
        if !wait {
            return Ok(read(view).await);
        }
        let over = seen.wait_for(|seen| seen.phase == Phase::Ended || seen.state.is_final());
        let _ = over.await;
        self.numbered(number, &named).await
    }

    /// All jobs, oldest first.
    ///
    /// # Errors
    ///
    /// None that is to be expected.
    pub async fn list(&self) -> Result<Vec<Job>, JobError> {
        self.blocking(|inner| {
            let table = inner.table();
            let shown = table.entries.iter().filter(|entry| !entry.record.removed);
            let views: Vec<View> = shown.map(Entry::view).collect();
            drop(table);
            let share = (TEXTS_OF_A_LIST / (views.len() as u64).max(1)).min(LONGEST);
            Ok(views.into_iter().map(|view| view.read(share)).collect())
        })
        .await
    }

    /// All jobs, oldest first, without their texts.
    #[must_use]
    pub fn states(&self) -> Vec<Job> {
        let table = self.inner.table();
        let shown = table.entries.iter().filter(|entry| !entry.record.removed);
        shown.map(|entry| entry.view().brief()).collect()
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// Where there is none of this id.
    pub async fn get(&self, id: &str) -> Result<Job, JobError> {
        let view = self.entry(id, Entry::view)?;
        Ok(read(view).await)
    }

    /// Starts or stops a job, where there is something to start or stop. To stop waits
    /// until the process has ended.
    ///
    /// # Errors
    ///
    /// Where there is none of this id.
    pub async fn act(&self, id: &str, action: Action) -> Result<Job, JobError> {
        let named = id.to_owned();
        let id = named.clone();
        let (number, mut seen) = self.blocking(move |inner| inner.act(&id, action)).await?;
        if action == Action::Stop {
            let over = seen.wait_for(|seen| seen.phase != Phase::Running);
            let patience = self.inner.settings.stop_grace * 2 + PATIENCE;
            let _ = tokio::time::timeout(patience, over).await;
        }
        self.numbered(number, &named).await
    }

    /// Removes a job from sight. Its process, where it runs, runs to its end.
    ///
    /// # Errors
    ///
    /// Where there is none of this id.
    pub async fn remove(&self, id: &str) -> Result<(), JobError> {
        let id = id.to_owned();
        self.blocking(move |inner| {
            let mut table = inner.table();
            let found = table.shown(&id).map(|entry| entry.record.number);
            let number = found.ok_or(JobError::NotFound(id))?;
            inner.remove(&mut table, number);
            Ok(())
        })
        .await
    }

    /// Removes all jobs from sight.
    ///
    /// # Errors
    ///
    /// None that is to be expected.
    pub async fn remove_all(&self) -> Result<(), JobError> {
        self.blocking(|inner| {
            let mut table = inner.table();
            let shown = table.entries.iter().filter(|entry| !entry.record.removed);
            let numbers: Vec<u64> = shown.map(|entry| entry.record.number).collect();
            for number in numbers {
                inner.remove(&mut table, number);
            }
            Ok(())
        })
        .await
    }

    /// What a job's process has printed so far, and will.
    ///
    /// # Errors
    ///
    /// Where there is no job of this id.
    pub fn output(&self, id: &str) -> Result<Output, JobError> {
        self.entry(id, |entry| {
            Output::new(entry.folder.clone(), entry.seen.subscribe())
        })
    }

    /// How many jobs run and how many wait.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let table = self.inner.table();
        let mut load = (0, 0);
        for entry in &table.entries {
            match entry.record.phase {
                Phase::Running => load.0 += 1,
                Phase::Waiting(_) => load.1 += 1,
                Phase::Ended => {}
            }
        }
        load
    }

    fn entry<T>(&self, id: &str, with: impl FnOnce(&Entry) -> T) -> Result<T, JobError> {
        let mut table = self.inner.table();
        let entry = table.shown(id).map(|entry| with(entry));
        entry.ok_or_else(|| JobError::NotFound(id.to_owned()))
    }

    async fn numbered(&self, number: u64, id: &str) -> Result<Job, JobError> {
        let view = self
            .inner
            .table()
            .numbered(number)
            .map(|entry| entry.view());
        // Removed in between.
        let view = view.ok_or_else(|| JobError::NotFound(id.to_owned()))?;
        Ok(read(view).await)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        with: impl FnOnce(&Arc<Inner>) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, JobError> {
        let inner = Arc::clone(&self.inner);
        // Not on a thread of whoever asks: a process that is started there has its priority.
        self.inner
            .runtime
            .spawn_blocking(move || with(&inner))
            .await
            .map_err(io::Error::from)?
    }
}

async fn read(view: View) -> Job {
    let read = tokio::task::spawn_blocking(|| view.read(LONGEST));
    match read.await {
        Ok(job) => job,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Jobs that wait for others to end.
const MOST_WAITING: usize = 1000;

type Watched = (u64, watch::Receiver<Seen>);

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(
        self: &Arc<Self>,
        new: NewJob,
    ) -> Result<(u64, watch::Receiver<Seen>, View), JobError> {
        let Arguments { args, session } = Arguments::read(new.args, new.split_args)?;
        let named = new.id.is_some();
        let id = match (new.id, session) {
            (Some(id), Some(session)) if id != session => {
                return Err(JobError::Mismatch { id, session });
            }
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => uuid::Uuid::new_v4().to_string(),
        };
        usable(&id)?;
        let settings = &self.settings;
        let server = &settings.directory;
        let directory = match &new.cwd {
            Some(wanted) => settings.allow.directory(server, wanted)?,
            None => server.clone(),
        };
        let default = &settings.interpreter;
        let interpreter = match &new.python {
            Some(wanted) => settings.allow.interpreter(server, default, wanted)?,
            None => default.clone(),
        };
        settings.allow.environment(&new.env)?;

        let mut table = self.table();
        if table.waiting() >= MOST_WAITING {
            return Err(JobError::Full(MOST_WAITING));
        }
        if let Some(known) = table.shown(&id) {
            if named || known.record.phase != Phase::Ended {
                return Err(JobError::Exists(id));
            }
            let number = known.record.number;
            self.remove(&mut table, number);
        }
        let number = table.number();
        let record = Record {
            id,
            number,
            args,
            interpreter,
            directory,
            environment: new.env,
            state: State::Created,
            phase: Phase::Waiting(table.number()),
            collecting: new.collect_only,
            run: 0,
            outcome: None,
            removed: false,
        };
        let folder = folder::make(&settings.folder, &record.id)?;
        record.save(&folder)?;
        let entry = Entry::new(record, folder);
        let seen = entry.seen.subscribe();
        if !new.collect_only {
            self.publish(&entry);
        }
        table.entries.push(entry);
        self.run_those_whose_turn_it_is(&mut table);
        let view = table.numbered(number).map(|entry| entry.view());
        let view = view.ok_or_else(|| io::Error::other("the job is gone already"))?;
        Ok((number, seen, view))
    }

    fn act(self: &Arc<Self>, id: &str, action: Action) -> Result<Watched, JobError> {
        let mut table = self.table();
        let ticket = table.number();
        let entry = table
            .shown(id)
            .ok_or_else(|| JobError::NotFound(id.to_owned()))?;
        let watched = (entry.record.number, entry.seen.subscribe());
        let record = &mut entry.record;
        match (action, record.phase, record.state) {
            (Action::Start, Phase::Ended, State::Collected) => {
                record.collecting = false;
                record.phase = Phase::Waiting(ticket);
                entry.save();
                self.run_those_whose_turn_it_is(&mut table);
            }
            // Collected before, and about to be started: it stays that.
            (Action::Stop, Phase::Waiting(_), State::Collected) => {
                record.phase = Phase::Ended;
                entry.save();
            }
            (Action::Stop, Phase::Waiting(_), _) => {
                let outcome = Outcome {
                    notes: vec!["it was stopped before it ran".to_owned()],
                    ..Outcome::default()
                };
                self.end(&mut table, watched.0, outcome);
                table.prune(self.settings.keep_jobs);
            }
            (Action::Stop, Phase::Running, state) if state != State::Terminating => {
                record.state = State::Terminating;
                let stop = super::record::run_folder(&entry.folder, record.run).join(STOP);
                File::create(stop)?;
                entry.save();
                self.publish(entry);
            }
            _ => {}
        }
        Ok(watched)
    }

    fn remove(&self, table: &mut Table, number: u64) {
        let Some(entry) = table.numbered(number) else {
            return;
        };
        match entry.record.phase {
            Phase::Ended => table.discard(number),
            Phase::Running => {
                entry.record.removed = true;
                entry.save();
            }
            Phase::Waiting(_) => {
                let outcome = Outcome {
                    notes: vec!["it was removed before it ran".to_owned()],
                    ..Outcome::default()
                };
                self.end(table, number, outcome);
                table.discard(number);
            }
        }
    }

    /// Tells everybody how far the job is.
    fn publish(&self, entry: &Entry) {
        if self.messages.receiver_count() > 0 {
            let _ = self.messages.send(Message::new(entry.view().read(LONGEST)));
        }
    }
}

/// Whether a job can have this id.
fn usable(id: &str) -> Result<(), JobError> {
    let wrong = |problem: &str| Err(JobError::unfit(["id".into()], problem));
    if id.contains('\0') {
        return wrong("an id cannot have a NUL character");
    }
    if id.chars().count() > LONGEST_ID {
        return wrong("an id has at most 1000 characters");
    }
    // No client would ask for their addresses.
    if matches!(id, "." | "..") {
        return wrong("an id cannot be \".\" or \"..\"");
    }
    Ok(())
}

/// What the process gets on top of the host's own environment.
fn environment(record: &Record, address: PathBuf) -> BTreeMap<String, String> {
    let mut environment = record.environment.clone();
    environment.insert("PYTEST_HOST_JOB".into(), record.id.clone());
    environment.insert(
        "PYTEST_HOST_ADDRESS".into(),
        address.to_string_lossy().into_owned(),
    );
    environment
}
