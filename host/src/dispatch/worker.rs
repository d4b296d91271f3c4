//! The thread of one sink of one run: reads the journal, calls the guest,
//! commits, and starts a new instance where one failed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::ending::Ending;
use super::handle::Control;
use super::order::{self, Told};
use super::outbox::{Batch, Outbox};
use super::report::{Phase, Standing};
use super::seat::Seat;
use crate::clock;
use crate::config::OnFailure;
use crate::guest::bindings::events::{Event, Session};
use crate::guest::bindings::exported::{Opening, Undone};
use crate::guest::capability::log::LogBudget;
use crate::guest::instance::{CallError, Instance};
use crate::guest::sink::Sink;
use crate::journal::{DeadLetter, Head, Journal, JournalError, Progress};
use crate::topic::Outlet;

/// How often a batch is delivered whole before it is delivered event by event.
const WHOLE: u32 = 3;
/// How often in a row an instance may fail to start before the sink is given up.
const STARTS: u32 = 3;
/// How long to wait before opening again what would not open.
const REOPEN: Duration = Duration::from_secs(2);

pub(super) struct Worker {
    pub(super) sink: Sink,
    /// The same, for another thread that goes on where this one gets stuck.
    pub(super) newest: Arc<Mutex<Sink>>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) head: watch::Receiver<Head>,
    pub(super) control: watch::Receiver<Control>,
    pub(super) orders: mpsc::Receiver<Told>,
    /// An order that came while it waited for something else.
    pub(super) told: Option<Told>,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) log: Arc<LogBudget>,
    pub(super) outlet: Outlet,
    /// Lost where this thread was stuck and another one goes on.
    pub(super) seat: Arc<Seat>,
}

/// An opened instance and what it is to get.
pub(super) struct Desk {
    pub(super) instance: Instance,
    pub(super) outbox: Outbox,
    pub(super) session: Session,
}

impl Worker {
    pub(super) async fn run(mut self) {
        if self.check_control().is_err() {
            return;
        }
        let mut taken_over = None;
        loop {
            let ending = match self.deliver_all(taken_over.take()).await {
                _ if self.seat.is_lost() => return,
                Ok(()) => return self.now(Phase::Done, None),
                Err(Ending::Failed(error)) => {
                    tracing::error!(sink = %self.sink.spec.name, "given up: {error}");
                    self.now(Phase::Failed, Some(error));
                    match self.revived().await {
                        Ok(desk) => {
                            taken_over = Some(desk);
                            continue;
                        }
                        Err(ending) => ending,
                    }
                }
                Err(ending) => ending,
            };
            match ending {
                Ending::Removed => return self.now(Phase::Done, None),
                Ending::Stopped | Ending::Failed(_) => return,
                Ending::NoRoom(error) => {
                    tracing::warn!(sink = %self.sink.spec.name, "starting anew: {error}");
                    self.now(Phase::BackingOff, Some(error));
                    if self.pause(REOPEN).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// With an instance that is open already, or a new one.
    async fn deliver_all(&mut self, open: Option<Desk>) -> Result<(), Ending> {
        let mut desk = match open {
            Some(desk) => desk,
            None => match self.begin().await? {
                Some(desk) => desk,
                None => return Ok(()),
            },
        };
        loop {
            desk = self.obey(desk).await?;
            let batch = desk.outbox.next(self.journal.as_ref(), clock::now())?;
            if batch.is_empty() {
                let head = *self.head.borrow();
                let done = head.closed && desk.outbox.cursor() >= head.last;
                if done && desk.outbox.waiting() == 0 {
                    return self.close(desk).await;
                }
                self.wait(&desk.outbox).await?;
            } else {
                desk = self.deliver(desk, batch).await?;
            }
            self.check_control()?;
        }
    }

    /// An instance for what is left of the run; none where nothing is.
    async fn begin(&mut self) -> Result<Option<Desk>, Ending> {
        let known = self.journal.standing(&self.sink.spec.name)?;
        self.standing.send_modify(|standing| standing.renew(&known));
        if known.closed {
            return Ok(None);
        }
        let Some(session) = self.session().await? else {
            return Ok(None);
        };
        let why = if known.cursor == 0 && known.pending.is_empty() {
            Opening::Fresh
        } else {
            Opening::Restarted
        };
        let instance = self.open(&session, why, known.state).await?;
        let outbox = Outbox::new(known.cursor, known.pending);
        Ok(Some(Desk {
            instance,
            outbox,
            session,
        }))
    }

    /// The session's own event, which the adapter writes first.
    pub(super) async fn session(&mut self) -> Result<Option<Session>, Ending> {
        let limit = crate::journal::BatchLimit {
            events: 16,
            bytes: 1 << 20,
        };
        loop {
            let head = *self.head.borrow_and_update();
            for event in self.journal.read(0, limit)? {
                if let Event::SessionStarted(session) = event.event {
                    return Ok(Some(session));
                }
            }
            if head.closed {
                return Ok(None);
            }
            self.changed(None).await?;
        }
    }

    /// An instance that has accepted its settings and the session.
    async fn open(
        &mut self,
        session: &Session,
        mut why: Opening,
        state: BTreeMap<String, Vec<u8>>,
    ) -> Result<Instance, Ending> {
        let mut failures = 0;
        loop {
            let problem = match self.try_open(&self.sink, session, why, &state).await {
                Ok(Ok(instance)) => return Ok(instance),
                Ok(Err(refused)) => refused,
                Err(error) => {
                    failures += 1;
                    if failures == STARTS {
                        return Err(Ending::Failed(error.to_string()));
                    }
                    error.to_string()
                }
            };
            tracing::warn!(sink = %self.sink.spec.name, "cannot be opened: {problem}");
            self.now(Phase::BackingOff, Some(problem));
            why = Opening::Restarted;
            self.pause(REOPEN).await?;
            if let Some(instance) = self.obey_unopened(session, &state).await? {
                return Ok(instance);
            }
        }
    }

    pub(super) async fn try_open(
        &self,
        sink: &Sink,
        session: &Session,
        why: Opening,
        state: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Result<Instance, String>, CallError> {
        let (limits, http) = (&sink.spec.limits, sink.http());
        let log = Arc::clone(&self.log);
        let values = state.clone();
        let mut instance = Instance::start(&sink.module, limits, values, log, http).await?;
        if let Err(wrong) = instance.configure(&sink.spec.settings_json()).await? {
            return Ok(Err(wrong.problem));
        }
        instance.publish_through(self.outlet.publisher(&sink.spec.name, &session.id));
        Ok(instance.open(session, why).await?.map(|()| instance))
    }

    /// Offers a batch until it is dealt with, whole if that works and event by
    /// event if not, so that the one at fault is found.
    async fn deliver(&mut self, mut desk: Desk, batch: Batch) -> Result<Desk, Ending> {
        for _ in 0..WHOLE {
            match desk.instance.handle(&batch.events).await {
                Ok(undone) => return self.settle(desk, &batch, undone).map_err(Ending::from),
                Err(error) => desk = self.rebuild(desk, &error).await?,
            }
            self.check_control()?;
            if self.is_told() {
                // Another sink may do better; what is not settled comes again.
                return Ok(desk);
            }
        }
        for index in 0..batch.events.len() {
            let Some(single) = desk.outbox.only(&batch, index) else {
                break;
            };
            if single.events.is_empty() {
                desk = self.settle(desk, &single, Vec::new())?;
                continue;
            }
            match desk.instance.handle(&single.events).await {
                Ok(undone) => desk = self.settle(desk, &single, undone)?,
                Err(error) => {
                    let why = error.to_string();
                    if self.sink.spec.on_failure == OnFailure::Disable {
                        return self.disable(why);
                    }
                    self.set_aside(&mut desk.outbox, &single, &why)?;
                    desk = self.rebuild(desk, &error).await?;
                }
            }
            self.check_control()?;
            if self.is_told() {
                break;
            }
        }
        Ok(desk)
    }

    fn settle(
        &self,
        mut desk: Desk,
        batch: &Batch,
        undone: Vec<Undone>,
    ) -> Result<Desk, JournalError> {
        let mut progress = desk.outbox.settle(batch, undone, clock::now());
        progress.state = desk.instance.state_writes();
        progress.error = self.trouble(&desk.outbox, &progress);
        for letter in &progress.dead {
            tracing::warn!(sink = %self.sink.spec.name, seq = letter.seq, "set aside: {}", letter.why);
        }
        self.commit(&mut desk.outbox, &progress)?;
        desk.instance.state_committed();
        Ok(desk)
    }

    /// What is worth telling about: why events wait or were set aside. What has
    /// been delivered since is forgotten.
    fn trouble(&self, outbox: &Outbox, progress: &Progress) -> Option<String> {
        if let Some(letter) = progress.dead.first() {
            return Some(letter.why.clone());
        }
        let standing = self.standing.borrow();
        if standing.has_set_aside() {
            // For good, and so not hidden by what is only put off.
            return standing.error.clone();
        }
        if let Some(event) = progress.pending.iter().find(|event| event.attempts > 0) {
            return Some(event.why.clone());
        }
        let still = outbox.waiting() > progress.settled.len();
        standing.error.clone().filter(|_| still)
    }

    fn set_aside(
        &self,
        outbox: &mut Outbox,
        single: &Batch,
        why: &str,
    ) -> Result<(), JournalError> {
        let mut progress = outbox.settle(single, Vec::new(), clock::now());
        progress.delivered = 0;
        progress.error = Some(why.to_owned());
        progress.dead = single
            .events
            .iter()
            .map(|event| DeadLetter {
                seq: event.seq,
                why: why.to_owned(),
                time: clock::now(),
            })
            .collect();
        tracing::error!(sink = %self.sink.spec.name, seq = single.events.first().map(|e| e.seq), "set aside: {why}");
        self.commit(outbox, &progress)
    }

    pub(super) fn commit(
        &self,
        outbox: &mut Outbox,
        progress: &Progress,
    ) -> Result<(), JournalError> {
        let Some(_held) = self.seat.hold() else {
            // Whoever goes on delivers it again; this thread ends.
            return Ok(());
        };
        self.journal.commit(&self.sink.spec.name, progress)?;
        outbox.committed(progress);
        let waiting = outbox.waiting();
        self.standing
            .send_modify(|standing| standing.count(progress, waiting));
        Ok(())
    }

    /// Replaces an instance that failed by one that knows what was committed.
    async fn rebuild(&mut self, desk: Desk, error: &CallError) -> Result<Desk, Ending> {
        self.check_control()?;
        tracing::warn!(sink = %self.sink.spec.name, "starting anew: {error}");
        let Desk {
            instance,
            outbox,
            session,
        } = desk;
        let state = instance.into_state();
        let instance = self.open(&session, Opening::Restarted, state).await?;
        Ok(Desk {
            instance,
            outbox,
            session,
        })
    }

    fn disable(&self, why: String) -> Result<Desk, Ending> {
        let progress = Progress {
            disabled: true,
            error: Some(why.clone()),
            ..Progress::default()
        };
        let Some(_held) = self.seat.hold() else {
            return Err(Ending::Stopped);
        };
        self.journal.commit(&self.sink.spec.name, &progress)?;
        Err(Ending::Failed(why))
    }

    async fn close(&self, mut desk: Desk) -> Result<(), Ending> {
        let failed = match desk.instance.close().await {
            Ok(Ok(())) => None,
            Ok(Err(problem)) => Some(format!("close: {problem}")),
            Err(error) => Some(format!("close: {error}")),
        };
        if let Some(problem) = &failed {
            tracing::warn!(sink = %self.sink.spec.name, "{problem}");
        }
        desk.instance.hang_up().await;
        let problem = failed.or_else(|| self.standing.borrow().error.clone());
        let progress = Progress {
            closed: true,
            error: problem,
            state: desk.instance.state_writes(),
            ..Progress::default()
        };
        Ok(self.commit(&mut desk.outbox, &progress)?)
    }

    /// Waits for new events, for the next retry, or to be told to stop.
    async fn wait(&mut self, outbox: &Outbox) -> Result<(), Ending> {
        let due = outbox
            .next_due()
            .map(|due| Duration::from_secs_f64((due - clock::now()).clamp(0.0, 3600.0)));
        let phase = if due.is_some() {
            Phase::BackingOff
        } else {
            Phase::Working
        };
        self.now(phase, None);
        self.changed(due).await?;
        self.now(Phase::Working, None);
        Ok(())
    }

    /// Waits until the journal grows or `time` has passed.
    async fn changed(&mut self, time: Option<Duration>) -> Result<(), Ending> {
        let head = &mut self.head;
        let grown = async {
            // Where intake is gone the journal does not grow any more.
            if head.changed().await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = grown => {}
            _ = self.control.changed() => {}
            told = order::next(&mut self.orders), if self.told.is_none() => self.told = Some(told),
            () = sleep(time) => {}
        }
        self.check_control()
    }

    async fn pause(&mut self, time: Duration) -> Result<(), Ending> {
        tokio::select! {
            _ = self.control.changed() => {}
            told = order::next(&mut self.orders), if self.told.is_none() => self.told = Some(told),
            () = tokio::time::sleep(time) => {}
        }
        self.check_control()
    }

    pub(super) fn check_control(&self) -> Result<(), Ending> {
        if self.seat.is_lost() {
            return Err(Ending::Stopped);
        }
        match *self.control.borrow() {
            Control::Go => Ok(()),
            Control::Stop => Err(Ending::Stopped),
        }
    }

    /// Tells what the worker is at, and what went wrong, if anything did.
    pub(super) fn now(&self, phase: Phase, error: Option<String>) {
        self.standing.send_modify(|standing| {
            standing.phase = phase;
            if error.is_some() {
                standing.error = error;
            }
        });
    }
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
