//! A core's socket, and how long a core lives.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};

use super::change::Plan;
use super::lines::write_line;
use super::pauses::Pauses;
use super::run::{Run, load};
use super::take_up::TakeUp;
use crate::config::{BadInput, Config, Request, SinkSpec};
use crate::control;
use crate::guest::policy::Policy;
use crate::guest::sink::Sink;
use crate::protocol::message::{Finished, FromHost, FromLauncher, Launch};
use crate::state::{RuntimeFolder, StateFolder};
use crate::topic::Topics;

/// How long a core waits for somebody to say hello once it is on its own.
const LONELY: Duration = Duration::from_secs(60);
/// How often standings are looked at while somebody waits for them.
pub const LOOK: Duration = Duration::from_millis(20);
/// How often whoever waits is told.
const TELL: Duration = Duration::from_millis(200);
/// How long to go on delivering when nobody waits, unless told otherwise.
const DRAIN: Duration = Duration::from_secs(30);
/// How long intake may take for what dead processes left, before a core ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A core that cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Bad(#[from] BadInput),
    #[error("{what}: {error}")]
    Io {
        what: &'static str,
        error: io::Error,
    },
}

pub(super) fn io_error(what: &'static str) -> impl Fn(io::Error) -> ServeError {
    move |error| ServeError::Io { what, error }
}

/// A core, shared by all its connections.
pub struct Core {
    pub(super) config: Config,
    /// What every session of this core asks for.
    pub(super) request: Option<Request>,
    /// It serves many runs, whatever sinks they have, until it is told to end.
    pub(super) stays: bool,
    /// The sinks of `request`, loaded.
    pub(super) sinks: Vec<Sink>,
    pub(super) state: StateFolder,
    pub(super) token: String,
    pub(super) forbidden: Vec<PathBuf>,
    pub(super) runs: Mutex<BTreeMap<String, Arc<Run>>>,
    pub(super) open: Mutex<Open>,
    pub(super) take_up: TakeUp,
    pub(super) pauses: Pauses,
    /// Where the sinks of its runs publish.
    pub(super) topics: Topics,
    /// Who may answer pauses, once a session has begun.
    pub(super) policy: Mutex<Option<Policy>>,
    /// Where this core is reached.
    pub(super) address: PathBuf,
    /// `config`, as it has become since.
    pub(super) newest: Mutex<Config>,
    /// Some sink is not what it was in `sinks` any more.
    pub(super) replaced: AtomicBool,
    /// What each run follows, by its name.
    pub(super) plans: Mutex<BTreeMap<String, Plan>>,
    /// Told of each change to what runs follow.
    pub(super) changes: Arc<Notify>,
}

/// Connections, to know when nobody is there.
#[derive(Default)]
pub struct Open {
    pub connections: usize,
    pub sessions: usize,
    /// Why a session would not report.
    pub unreported: Option<String>,
}

/// Serves until the work is done: see `docs/protocol.md`, *Starting a core*.
///
/// # Errors
///
/// Bad input, or a folder or socket that cannot be made.
pub async fn serve(
    launch: Launch,
    config: Config,
    state: StateFolder,
    input: mpsc::Receiver<FromLauncher>,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<(), ServeError> {
    let runtime = RuntimeFolder::make().map_err(io_error("cannot make a runtime folder"))?;
    let listener =
        UnixListener::bind(runtime.socket()).map_err(io_error("cannot make a socket"))?;
    let _ = write_line(
        output,
        &FromHost::Listening {
            address: runtime.address().to_owned(),
        },
    )
    .await;

    let mut sinks = Vec::new();
    if let Some(request) = &launch.request {
        let specs = selected(&config, request)?;
        sinks = load_aside(specs, forbidden(&state))
            .await
            .map_err(io_error("the sinks cannot be loaded"))??;
        let names = sinks.iter().map(|sink| sink.spec.name.clone()).collect();
        let _ = write_line(output, &FromHost::Ready { sinks: names }).await;
    }
    let core = Core::new(config, state, &runtime, Topics::off());
    let core = Arc::new(Core {
        request: launch.request,
        sinks,
        ..core
    });
    let drain = launch
        .drain_timeout
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .unwrap_or(DRAIN);
    core.start(listener);
    core.live(drain, input, output).await;
    core.end().await;
    Ok(())
}

/// The sinks that a request comes to; none at all is a mistake.
///
/// # Errors
///
/// That, and whatever is wrong with the request.
pub fn selected(config: &Config, request: &Request) -> Result<Vec<SinkSpec>, BadInput> {
    let specs = config.select(request)?;
    if specs.is_empty() && !request.pauses && !request.none_is_fine {
        return Err(BadInput(format!(
            "no sinks are named: use --sinks, such as --sinks {}, or `sinks = [\"publish\"]` in host.toml",
            config.known_sinks().join(",")
        )));
    }
    Ok(specs)
}

async fn accept(core: Arc<Core>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let core = Arc::clone(&core);
                tokio::spawn(async move {
                    core.count(|open| open.connections += 1);
                    if let Err(error) = core.attend(stream).await {
                        tracing::debug!("a connection ended: {error}");
                    }
                    core.count(|open| open.connections -= 1);
                });
            }
            Err(error) => {
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// What no guest is granted.
fn forbidden(state: &StateFolder) -> Vec<PathBuf> {
    vec![state.path().to_owned(), RuntimeFolder::base()]
}

impl Core {
    pub(super) fn new(
        config: Config,
        state: StateFolder,
        runtime: &RuntimeFolder,
        topics: Topics,
    ) -> Self {
        Self {
            newest: Mutex::new(config.clone()),
            config,
            request: None,
            stays: false,
            sinks: Vec::new(),
            take_up: TakeUp::new(&state, &topics),
            topics,
            pauses: Pauses::default(),
            policy: Mutex::default(),
            address: runtime.address().to_owned(),
            forbidden: forbidden(&state),
            state,
            token: runtime.token().to_owned(),
            runs: Mutex::default(),
            open: Mutex::default(),
            replaced: AtomicBool::default(),
            plans: Mutex::default(),
            changes: Arc::default(),
        }
    }

    /// Takes connections from here on.
    pub(super) fn start(self: &Arc<Self>, listener: UnixListener) {
        tokio::spawn(accept(Arc::clone(self), listener));
        tokio::spawn(Arc::clone(self).follow());
    }

    pub fn count(&self, change: impl FnOnce(&mut Open)) {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn unreported(&self) -> Option<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.unreported.clone()
    }

    pub(super) fn runs(&self) -> Vec<Arc<Run>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.values().cloned().collect()
    }

    /// Waits for the work to be done, or for being told to leave it.
    async fn live(
        &self,
        drain: Duration,
        mut input: mpsc::Receiver<FromLauncher>,
        output: &mut (impl AsyncWrite + Unpin),
    ) {
        let mut alone_since = None;
        loop {
            tokio::select! {
                message = input.recv(), if alone_since.is_none() => match message {
                    Some(FromLauncher::Finish { timeout }) => {
                        self.finish(timeout, &mut input, output).await;
                        return;
                    }
                    None => alone_since = Some(Instant::now()),
                },
                () = tokio::time::sleep(LOOK) => {}
            }
            let Some(since) = alone_since else { continue };
            let (connections, sessions) = {
                let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                (open.connections, open.sessions)
            };
            if connections > 0 || self.runs().iter().any(|run| !run.is_closed()) {
                // Alone again from when the last process has ended.
                alone_since = Some(Instant::now());
                continue;
            }
            if sessions == 0 {
                if since.elapsed() > LONELY {
                    return;
                }
                continue;
            }
            if self.runs().iter().all(|run| run.is_delivered()) || since.elapsed() > drain {
                return;
            }
        }
    }

    /// pytest has ended and somebody waits: tells how far the sinks are until
    /// they are done, the time is up, or nobody waits any more.
    async fn finish(
        &self,
        timeout: f64,
        input: &mut mpsc::Receiver<FromLauncher>,
        output: &mut (impl AsyncWrite + Unpin),
    ) {
        let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
        let started = Instant::now();
        let mut told = None;
        let mut limit = timeout;
        loop {
            let runs = self.runs();
            // What dead processes left is taken in even where nobody waits for delivery.
            let taken_in = runs.iter().all(|run| run.is_closed()) || started.elapsed() > LAST_WORDS;
            let delivered = runs.iter().all(|run| run.is_delivered());
            if taken_in && (delivered || started.elapsed() >= limit) {
                break;
            }
            if told.is_none_or(|told: Instant| told.elapsed() >= TELL) {
                let _ = write_line(
                    output,
                    &FromHost::Progress {
                        sinks: self.reports(),
                    },
                )
                .await;
                told = Some(Instant::now());
            }
            tokio::select! {
                message = input.recv() => match message {
                    // A second word shortens the wait: Ctrl-C while draining.
                    Some(FromLauncher::Finish { timeout }) => {
                        limit = started.elapsed() + Duration::try_from_secs_f64(timeout).unwrap_or_default();
                    }
                    None => limit = Duration::ZERO,
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        let run = self
            .runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .next_back()
            .cloned();
        let given = |run: &Arc<Run>| run.to_be_given_again();
        let finished = Finished {
            run,
            sinks: self.reports(),
            earlier: self.take_up.earlier(),
            give_again: self.runs().iter().flat_map(given).collect(),
            refused: self.refused_changes(),
            unreported: self.unreported(),
        };
        let _ = write_line(output, &FromHost::Finished(finished)).await;
    }

    /// All runs together, by sink.
    fn reports(&self) -> Vec<crate::protocol::message::SinkReport> {
        let mut all: Vec<crate::protocol::message::SinkReport> = Vec::new();
        for report in self.runs().iter().flat_map(|run| run.reports()) {
            match all.iter_mut().find(|other| other.name == report.name) {
                Some(other) => {
                    other.delivered += report.delivered;
                    other.set_aside += report.set_aside;
                    other.left += report.left;
                    other.lost += report.lost;
                    other.swapped += report.swapped;
                    other.removed |= report.removed;
                    other.error = report.error.or(other.error.take());
                }
                None => all.push(report),
            }
        }
        all
    }

    /// Changes that were refused and are not put right.
    fn refused_changes(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .runs()
            .iter()
            .flat_map(|run| run.changes().lines())
            .collect();
        lines.dedup();
        lines
    }

    pub(super) async fn end(&self) {
        self.take_up.end();
        for run in self.runs() {
            run.stop();
            if let Some(folder) = run.folder() {
                control::forget_address(&folder.path);
            }
        }
        // A worker between two calls ends at once; one in a call is left to the
        // end of the process, and its batch is delivered again.
        tokio::time::sleep(LOOK).await;
    }
}

/// Loads sinks on a thread of their own: compiling takes a while, and asking them
/// for their needs takes a runtime.
pub async fn load_aside(
    specs: Vec<SinkSpec>,
    forbidden: Vec<PathBuf>,
) -> io::Result<Result<Vec<Sink>, BadInput>> {
    tokio::task::spawn_blocking(move || load(specs, &forbidden))
        .await
        .map_err(io::Error::other)
}
