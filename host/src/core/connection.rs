//! One connection of the adapter: hello, what follows, and its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::change::Plan;
use super::lines::{read_line, write_line};
use super::pauses::LINES;
use super::run::Run;
use super::server::{Core, LOOK, load_aside, selected};
use crate::config::{Request, SinkSpec};
use crate::control;
use crate::guest::sink::Sink;
use crate::intake::Command;
use crate::journal::JournalError;
use crate::orchestration::Orchestrations;
use crate::protocol::PROTOCOL;
use crate::protocol::message::{Finished, FromAdapter, FromHost, Hello, Role, Welcome};
use crate::state::RunFolder;

/// The sink that tells of runs as pytest-relay does.
const RELAY: &str = "relay";
const SEGMENT_BYTES: u64 = 1 << 20;
const UNREAD_BYTES: u64 = 64 << 20;

impl Core {
    /// Serves one process of the adapter, or a command, until it closes its connection.
    pub async fn attend(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let Some(FromAdapter::Hello(hello)) = read_line(&mut reader).await? else {
            return Ok(());
        };
        if hello.token != self.token {
            return refuse(&mut writer, "wrong token".into()).await;
        }
        if hello.protocol != PROTOCOL {
            let message = format!(
                "the adapter speaks protocol {}, this host {PROTOCOL}: install the same version of both",
                hello.protocol
            );
            return refuse(&mut writer, message).await;
        }
        match hello.role {
            // One with a run goes on: the core that it had is gone.
            Role::Session if hello.run.is_none() => self.session(*hello, reader, writer).await,
            Role::Session | Role::Worker => self.join_run(*hello, reader, writer).await,
            Role::Control => self.control(reader, writer).await,
        }
    }

    async fn join_run(
        &self,
        hello: Hello,
        mut reader: BufReader<OwnedReadHalf>,
        mut writer: OwnedWriteHalf,
    ) -> io::Result<()> {
        let known = hello.run.as_ref().and_then(|id| {
            let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.get(id).cloned()
        });
        let taken_up = known.is_none();
        let run = match (known, &hello.run) {
            (Some(run), _) => run,
            (None, Some(id)) => match self.go_on(id) {
                Ok(run) => run,
                Err(message) => return refuse(&mut writer, message).await,
            },
            (None, None) => return refuse(&mut writer, "no such run".into()).await,
        };
        join(&run, &hello);
        let finish = hello.role == Role::Session;
        let served = async {
            self.welcome(&run, finish, &mut writer).await?;
            if taken_up {
                let specs = self.restored(&run).map_err(io::Error::other)?;
                if let Err(error) = self.load_and_deliver(&run, specs, None, &mut writer).await {
                    tracing::error!("a run goes on without its sinks: {error}");
                }
            }
            let lines = self.write_aside(writer);
            let heard = self.hear(&run, &mut reader, &lines).await;
            self.pauses.gone(&lines);
            heard
        };
        let served = served.await;
        // However it ended, or the run would wait for this process for ever.
        run.tell(Command::Gone {
            process: hello.process,
        });
        served
    }

    async fn session(
        &self,
        hello: Hello,
        mut reader: BufReader<OwnedReadHalf>,
        mut writer: OwnedWriteHalf,
    ) -> io::Result<()> {
        // One that is refused counts too: there is nobody else to wait for.
        self.count(|open| open.sessions += 1);
        let plan = self.plan(&hello);
        let config = plan.within(&self.newest());
        // As far as it can be checked without a guest.
        let specs = match selected(&config, &plan.request) {
            Ok(specs) => specs,
            Err(bad) => return refuse(&mut writer, bad.to_string()).await,
        };
        let run = match self.begin(&specs) {
            Ok(run) => Arc::new(run),
            Err(error) => {
                let message = format!(
                    "no run can be kept in {}: {error}",
                    self.state.path().display()
                );
                return refuse(&mut writer, message).await;
            }
        };
        let id = run
            .folder()
            .map(|folder| folder.id.clone())
            .unwrap_or_default();
        {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.insert(id.clone(), Arc::clone(&run));
        }
        join(&run, &hello);
        // What was selected can be set.
        let config = config.with(&plan.request).unwrap_or(config);
        let finish = self.request.is_none();
        let mut accepted = match self.welcome(&run, finish, &mut writer).await {
            Ok(()) => {
                self.load_and_deliver(&run, specs, Some(plan), &mut writer)
                    .await
            }
            Err(gone) => Err(gone),
        };
        if accepted.is_ok() {
            self.take_up.begin(config);
            let lines = self.write_aside(writer);
            accepted = self.hear(&run, &mut reader, &lines).await;
            self.pauses.gone(&lines);
        }
        run.tell(Command::Gone {
            process: hello.process,
        });
        if accepted.is_err() {
            // Nothing will read it, so it is not kept.
            self.runs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
            if let Some(run) = Arc::into_inner(run) {
                // Before the connection counts as gone, and the core with it.
                let _ = tokio::task::spawn_blocking(move || run.discard()).await;
            }
        }
        accepted
    }

    /// Takes up a run whose core is gone and whose pytest still runs.
    fn go_on(&self, id: &str) -> Result<Arc<Run>, String> {
        // One that is refused counts too: there is nobody else to wait for.
        self.count(|open| open.sessions += 1);
        if !self.state.runs().iter().any(|known| known == id) {
            return Err("no such run".to_owned());
        }
        let folder = self.state.take_up(id).map_err(|error| error.to_string())?;
        let folder = folder.ok_or("another host works on this run")?;
        self.show_address(&folder);
        let run = Run::start_within(folder, self.config.journal);
        let mut run = run.map_err(|error| error.to_string())?;
        run.publish_to(self.topics.clone());
        let run = Arc::new(run);
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(id.to_owned(), Arc::clone(&run));
        Ok(run)
    }

    /// The sinks of a run that is taken up, with their secrets; without those that have
    /// lost theirs.
    pub(super) fn restored(&self, run: &Run) -> Result<Vec<SinkSpec>, JournalError> {
        let mut specs = Vec::new();
        for spec in run.specs()? {
            match spec.clone().restored(&self.config) {
                Ok(spec) => specs.push(spec),
                Err(bad) => tracing::error!(sink = %spec.name, "left for later: {bad}"),
            }
        }
        Ok(specs)
    }

    pub(super) fn show_address(&self, folder: &RunFolder) {
        if let Err(error) = control::write_address(&folder.path, &self.address) {
            tracing::warn!("commands will not find this core: {error}");
        }
    }

    /// A new run for these sinks.
    fn begin(&self, specs: &[SinkSpec]) -> Result<Run, String> {
        let folder = self.state.new_run().map_err(|error| error.to_string())?;
        self.show_address(&folder);
        let run = Run::start_within(folder, self.config.journal);
        // Before pytest is welcomed: what it writes from then on has somewhere to go,
        // even where this core ends while it loads the sinks.
        let run = run.and_then(|run| run.expect(specs).map(|()| run));
        let mut run = run.map_err(|error| error.to_string())?;
        run.publish_to(self.topics.clone());
        Ok(run)
    }

    /// What a session asks for.
    fn plan(&self, hello: &Hello) -> Plan {
        let mut request = hello.request.clone().unwrap_or_default();
        request.none_is_fine = self.stays;
        if self.stays && self.newest().serve.relay {
            self.relay(hello, &mut request);
        }
        request.option_set = std::mem::take(&mut request.set);
        if let Some(own) = &self.request {
            if request.sinks.is_none() {
                request.sinks.clone_from(&own.sinks);
            }
            request.set.clone_from(&own.set);
        }
        let directory = hello.directory.as_ref();
        let directory = directory.unwrap_or(&self.config.directory);
        Plan::new(directory.clone(), request)
    }

    /// Whoever listens to the WebSocket hears of the run, by the name of its job.
    fn relay(&self, hello: &Hello, request: &mut Request) {
        request.extra_sinks.push(RELAY.to_owned());
        if let Some(job) = &hello.job {
            let settings = request.settings.entry(RELAY.to_owned()).or_default();
            settings.insert("session-id".to_owned(), job.clone().into());
        }
    }

    /// Without a plan the sinks stay as they are: what the session asked for is not
    /// known where another core began the run.
    async fn load_and_deliver(
        &self,
        run: &Arc<Run>,
        specs: Vec<SinkSpec>,
        plan: Option<Plan>,
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let ready = match self.replaced.load(Ordering::Relaxed) {
            true => [].as_slice(),
            false => self.sinks.as_slice(),
        };
        let (loaded, to_load): (Vec<_>, Vec<_>) = specs
            .iter()
            .partition(|spec| ready.iter().any(|sink| sink.spec == **spec));
        let same: Vec<Sink> = ready
            .iter()
            .filter(|sink| loaded.contains(&&sink.spec))
            .cloned()
            .collect();
        let to_load: Vec<SinkSpec> = to_load.into_iter().cloned().collect();
        let sinks = match load_aside(to_load, self.forbidden.clone()).await? {
            Ok(more) => in_order(&specs, same.into_iter().chain(more).collect()),
            Err(bad) => return refused(writer, bad.to_string()).await,
        };
        if let Err(bad) = self.load_policy().await? {
            return refused(writer, bad.to_string()).await;
        }
        if let Err(error) = run.deliver(&sinks) {
            return refused(writer, error.to_string()).await;
        }
        if let Some((mut plan, folder)) = plan.zip(run.folder()) {
            plan.begin(&sinks);
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            plans.insert(folder.id.clone(), plan);
            drop(plans);
            self.changes.notify_one();
        }
        let names = sinks.iter().map(|sink| sink.spec.name.clone()).collect();
        // An adapter that has gone already is followed all the same.
        let _ = write_line(writer, &FromHost::Ready { sinks: names }).await;
        Ok(())
    }

    /// Until the process closes its connection; an error where it won't report.
    async fn hear(
        &self,
        run: &Run,
        reader: &mut BufReader<OwnedReadHalf>,
        lines: &mpsc::Sender<FromHost>,
    ) -> io::Result<()> {
        // They end with the connection.
        let mut orchestrations = Orchestrations::new(lines.clone());
        while let Ok(Some(message)) = read_line::<FromAdapter>(reader).await {
            match message {
                FromAdapter::Finish { timeout } => {
                    let finished = finished(run, timeout).await;
                    if lines.send(FromHost::Finished(finished)).await.is_err() {
                        return Ok(());
                    }
                }
                FromAdapter::Pause { pause } => {
                    let id = run.folder().map_or("", |folder| folder.id.as_str());
                    self.pauses.opened(id, (*pause).clone(), lines.clone());
                    self.consult(&pause);
                }
                FromAdapter::PauseEnd { id } => self.pauses.closed(&id),
                FromAdapter::Answer(answer) => self.pauses.answered(answer),
                FromAdapter::CheckOrchestration(check) => orchestrations.check(*check),
                FromAdapter::Orchestrate(begin) => orchestrations.begin(*begin, run.journal()),
                FromAdapter::Completed(ended) => orchestrations.completed(*ended),
                FromAdapter::Kill { orchestration } => orchestrations.kill(&orchestration),
                FromAdapter::OrchestrateEnd { orchestration } => orchestrations.end(&orchestration),
                FromAdapter::Refuse { message } => {
                    self.count(|open| open.unreported = Some(message.clone()));
                    return Err(io::Error::other(message));
                }
                FromAdapter::Hello(_) => {}
            }
        }
        Ok(())
    }

    /// Writes lines from wherever they come, while the connection is read.
    fn write_aside(&self, mut writer: OwnedWriteHalf) -> mpsc::Sender<FromHost> {
        let (sender, mut lines) = mpsc::channel::<FromHost>(LINES);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if write_line(&mut writer, &line).await.is_err() {
                    return;
                }
            }
        });
        sender
    }

    async fn welcome(
        &self,
        run: &Run,
        finish: bool,
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let Some(folder) = run.folder() else {
            return Ok(());
        };
        let welcome = Welcome {
            protocol: PROTOCOL,
            run: folder.id.clone(),
            segments: absolute(&folder.segments()),
            segment_bytes: SEGMENT_BYTES,
            unread_bytes: UNREAD_BYTES,
            text_bytes: self.config.text,
            finish,
            pause_files: self.config.pause.files,
            redact: self.config.redact.clone(),
        };
        write_line(writer, &FromHost::Welcome(welcome)).await
    }
}

/// How far the sinks are when they are done or the time is up.
async fn finished(run: &Run, timeout: f64) -> Finished {
    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
    let started = Instant::now();
    while !run.is_idle() && started.elapsed() < timeout {
        tokio::time::sleep(LOOK).await;
    }
    Finished {
        run: run.folder().map(|folder| folder.id.clone()),
        sinks: run.reports(),
        give_again: run.to_be_given_again(),
        refused: run.changes().lines(),
        ..Finished::default()
    }
}

fn join(run: &Run, hello: &Hello) {
    run.tell(Command::Joined {
        process: hello.process.clone(),
        pid: hello.pid,
        worker: hello.worker.clone(),
    });
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn refuse(writer: &mut OwnedWriteHalf, message: String) -> io::Result<()> {
    write_line(writer, &FromHost::Refused { message }).await
}

/// Says so, and is an error for whoever goes on only where nothing was refused.
async fn refused(writer: &mut OwnedWriteHalf, message: String) -> io::Result<()> {
    refuse(writer, message.clone()).await?;
    Err(io::Error::other(message))
}

fn in_order(specs: &[SinkSpec], mut sinks: Vec<Sink>) -> Vec<Sink> {
    sinks.sort_by_key(|sink| specs.iter().position(|spec| *spec == sink.spec));
    sinks
}
