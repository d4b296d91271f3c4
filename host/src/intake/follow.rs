//! The thread that tails a run's segments into its journal.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::alive::is_running;
use super::normalise::Normaliser;
use super::process::{Found, ProcessReader};
use crate::clock;
use crate::journal::{Head, Intake, Journal, JournalError, Position};
use crate::protocol::frame::{self, Frame};
use crate::protocol::segment;

/// How often to look while there is something to see. inotify tells nothing of
/// writes through a mapping.
const BUSY_POLL: Duration = Duration::from_millis(5);
/// How often to look otherwise; sinks see an event within 50 ms.
const IDLE_POLL: Duration = Duration::from_millis(20);
/// Events of one transaction, beyond which the rest waits for the next.
const EVENTS_A_COMMIT: usize = 4096;
/// How long to wait for workers once the process that started them is gone.
const ORPHANS: Duration = Duration::from_secs(10);
/// How long to wait before writing again what could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// How long to go on trying once all processes are gone. What is not written is
/// still in their segments, for whoever takes up the run.
const LAST_TRY: Duration = Duration::from_secs(10);

/// What the follower is told.
#[derive(Debug)]
pub enum Command {
    /// A process said hello.
    Joined {
        process: String,
        pid: u32,
        worker: Option<String>,
    },
    /// A process closed its connection.
    Gone { process: String },
    /// No more processes will come and those that are known are dead.
    Abandon,
}

struct Followed {
    reader: ProcessReader,
    /// Its connection is open. A process that runs on without one, since a test
    /// closed all files, is followed all the same.
    connected: bool,
    /// It will not write any more and all it wrote was read.
    drained: bool,
}

type Processes = BTreeMap<String, Followed>;

/// Follows the processes of one run.
pub struct Follower {
    folder: PathBuf,
    journal: Arc<dyn Journal>,
    normaliser: Normaliser,
    processes: Processes,
    head: watch::Sender<Head>,
    /// The process that the user started, and when it was found to be gone.
    main: Option<String>,
    main_ended: Option<Instant>,
    abandoned: bool,
    /// Read, and not in the journal yet, since when.
    unwritten: Option<(Intake, Instant)>,
}

impl Follower {
    /// Goes on where the journal left off; `folder` is the run's segments.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be read.
    pub fn new(
        run: &str,
        folder: PathBuf,
        journal: Arc<dyn Journal>,
        head: watch::Sender<Head>,
    ) -> Result<Self, JournalError> {
        let normaliser = Normaliser::recover(run, journal.as_ref())?;
        let mut follower = Self {
            folder,
            normaliser,
            processes: BTreeMap::new(),
            head,
            main: None,
            main_ended: None,
            abandoned: false,
            unwritten: None,
            journal,
        };
        for (process, position) in follower.journal.positions()? {
            follower.follow(process, position, false);
        }
        follower.discover();
        Ok(follower)
    }

    /// Runs until nothing can follow any more, and closes the journal; or until
    /// nobody is left to give commands.
    ///
    /// # Errors
    ///
    /// Where the journal cannot be written.
    pub fn run(mut self, commands: &Receiver<Command>) -> Result<(), JournalError> {
        let mut poll = BUSY_POLL;
        loop {
            match commands.recv_timeout(poll) {
                Ok(command) => self.command(command),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody follows this run here any more; another core goes on.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(command) = commands.try_recv() {
                self.command(command);
            }
            let intake = match self.unwritten.take() {
                Some((intake, since)) => Some((intake, since)),
                None => self.look().map(|intake| (intake, Instant::now())),
            };
            poll = match intake {
                None if self.is_over() => return self.close(),
                None => IDLE_POLL,
                Some((intake, since)) => match self.write(&intake) {
                    Ok(()) => BUSY_POLL,
                    Err(error) if self.is_over() && since.elapsed() > LAST_TRY => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::error!("{error}; trying again");
                        self.unwritten = Some((intake, since));
                        WRITE_AGAIN
                    }
                },
            };
        }
    }

    /// The process ids of processes that have not said goodbye.
    #[must_use]
    pub fn open_processes(&self) -> Vec<u32> {
        self.processes
            .values()
            .filter(|process| !process.reader.position.ended)
            .map(|process| process.reader.position.pid)
            .collect()
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Joined {
                process,
                pid,
                worker,
            } => {
                let position = Position {
                    pid,
                    worker,
                    ..Position::default()
                };
                self.follow(process, position, true);
            }
            Command::Gone { process } => {
                if let Some(followed) = self.processes.get_mut(&process) {
                    followed.connected = false;
                }
            }
            Command::Abandon => {
                self.abandoned = true;
                for followed in self.processes.values_mut() {
                    followed.connected = false;
                }
            }
        }
    }

    fn follow(&mut self, process: String, position: Position, connected: bool) {
        if position.worker.is_none() {
            self.main = Some(process.clone());
        }
        let reader = ProcessReader::new(&self.folder, &process, position);
        self.processes.entry(process).or_insert(Followed {
            reader,
            connected,
            drained: false,
        });
    }

    /// Finds processes that wrote and that no core ever heard of.
    fn discover(&mut self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        let names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        let mut found: Vec<(&str, u32)> = names
            .iter()
            .filter_map(|name| segment::parse_name(name))
            .collect();
        found.sort_unstable();
        for (process, number) in found {
            let (worker, pid) = process.rsplit_once('-').unwrap_or((process, ""));
            let position = Position {
                // Files before the first that is there were taken in and deleted.
                file: number,
                pid: pid.parse().unwrap_or(0),
                worker: (worker != "main").then(|| worker.to_owned()),
                ..Position::default()
            };
            match self.processes.get_mut(process) {
                None => self.follow(process.to_owned(), position, false),
                Some(known) => known.reader.has(number),
            }
        }
    }

    /// Reads what every process has; none where there is nothing.
    fn look(&mut self) -> Option<Intake> {
        let mut look = Look {
            now: clock::now(),
            intake: Intake::default(),
            normaliser: &mut self.normaliser,
        };
        let mut others = std::mem::take(&mut self.processes);
        // The process that the user started first: the session begins before its workers.
        let main = self
            .main
            .as_ref()
            .and_then(|main| others.remove_entry(main));
        if let Some((name, mut main)) = main {
            look.at(&name, &mut main, &mut others);
            self.processes.insert(name, main);
        }
        for (name, process) in &mut others {
            look.at(name, process, &mut BTreeMap::new());
        }
        let mut intake = look.intake;
        self.processes.append(&mut others);
        self.keep_unsaid(&mut intake);
        (!intake.positions.is_empty() || !intake.drafts.is_empty()).then_some(intake)
    }

    /// Keeps what is to be told later with the position behind it: whoever goes on
    /// there will not read it again.
    fn keep_unsaid(&mut self, intake: &mut Intake) {
        let unsaid = self.normaliser.unsaid().unwrap_or_else(|error| {
            tracing::error!("what is to be told later is not kept: {error}");
            None
        });
        let Some(name) = &self.main else { return };
        if let Some(main) = self.processes.get_mut(name)
            && main.reader.position.unsaid != unsaid
        {
            main.reader.position.unsaid = unsaid;
            let position = main.reader.position.clone();
            intake.positions.insert(name.clone(), position);
        }
    }

    fn write(&mut self, intake: &Intake) -> Result<(), JournalError> {
        let head = self.journal.append(intake)?;
        for process in self.processes.values_mut() {
            process.reader.committed();
        }
        self.head.send_replace(head);
        Ok(())
    }

    fn is_over(&mut self) -> bool {
        if self.processes.values().all(|process| process.drained)
            && (self.main.is_some() || self.abandoned)
        {
            return true;
        }
        let main = self.main.as_ref().and_then(|main| self.processes.get(main));
        if main.is_some_and(|main| main.drained) {
            // A worker that outlives its controller has nobody to report to.
            let since = self.main_ended.get_or_insert_with(Instant::now);
            return since.elapsed() > ORPHANS;
        }
        false
    }

    fn close(&mut self) -> Result<(), JournalError> {
        let dead: HashSet<Option<String>> = self
            .processes
            .values()
            .map(|process| &process.reader.position)
            .filter(|position| !position.ended)
            .map(|position| position.worker.clone())
            .collect();
        let intake = Intake {
            drafts: self.normaliser.close(&dead, clock::now()),
            closed: true,
            ..Intake::default()
        };
        self.write(&intake)
    }
}

#[derive(PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// One look at all processes.
struct Look<'a> {
    now: f64,
    intake: Intake,
    normaliser: &'a mut Normaliser,
}

impl Look<'_> {
    /// Reads one process until it has nothing more, or the transaction is large enough.
    fn at(&mut self, name: &str, process: &mut Followed, workers: &mut Processes) {
        if process.drained {
            return;
        }
        let before = process.reader.position.clone();
        // Asked before it is read: what it wrote last is read too.
        let alive = process.connected || is_running(before.pid);
        let more = self.read(name, process, alive, workers);
        if more == More::No && (!alive || process.reader.position.ended) {
            process.drained = true;
            if let Some(worker) = &before.worker {
                self.normaliser
                    .worker_ended(worker, &mut self.intake.drafts);
            }
        }
        if process.reader.position != before {
            let position = process.reader.position.clone();
            self.intake.positions.insert(name.to_owned(), position);
        }
    }

    fn read(
        &mut self,
        name: &str,
        process: &mut Followed,
        alive: bool,
        workers: &mut Processes,
    ) -> More {
        while self.intake.drafts.len() < EVENTS_A_COMMIT {
            match process.reader.read() {
                Ok(Found::Frames(frames)) => {
                    for payload in frames {
                        self.take(name, process, &payload, workers);
                    }
                }
                Ok(Found::Unfinished) if !alive => {
                    self.lost(process, format!("{name} died while it wrote an event"));
                    return More::No;
                }
                Ok(Found::Nothing) if !alive && process.reader.is_missing() => {
                    tracing::error!(process = name, "the journal has lost its last events");
                    let reason = format!("the journal has lost the last events of {name}");
                    self.lost(process, reason);
                    return More::No;
                }
                Ok(Found::Nothing | Found::Unfinished) => return More::No,
                Err(error) => {
                    tracing::error!(process = name, "its events cannot be read: {error}");
                    let reason = format!("the events of {name} cannot be read: {error}");
                    self.lost(process, reason);
                    process.drained = true;
                    return More::No;
                }
            }
        }
        More::Yes
    }

    fn take(
        &mut self,
        name: &str,
        process: &mut Followed,
        payload: &[u8],
        workers: &mut Processes,
    ) {
        match frame::read(payload) {
            Ok(frame) => {
                if let Frame::Crash { worker, .. } | Frame::WorkerLost { worker, .. } = &frame {
                    self.last_words(worker, workers);
                }
                let position = &mut process.reader.position;
                self.normaliser
                    .take(frame, position, self.now, &mut self.intake);
            }
            Err(error) => {
                tracing::error!(process = name, "a frame is not understood: {error}");
                self.lost(
                    process,
                    format!("a frame of {name} is not understood: {error}"),
                );
            }
        }
    }

    /// All that a worker wrote, now that somebody tells that it died: it was written before.
    fn last_words(&mut self, worker: &str, workers: &mut Processes) {
        for (name, process) in workers.iter_mut() {
            if process.reader.position.worker.as_deref() != Some(worker) {
                continue;
            }
            while let Ok(Found::Frames(frames)) = process.reader.read() {
                for payload in frames {
                    self.take(name, process, &payload, &mut BTreeMap::new());
                }
                let position = process.reader.position.clone();
                self.intake.positions.insert(name.clone(), position);
            }
        }
    }

    fn lost(&mut self, process: &Followed, reason: String) {
        let position = &process.reader.position;
        let draft = self.normaliser.lost(position, self.now, reason);
        self.intake.drafts.push(draft);
    }
}

#[cfg(test)]
mod tests;
