//! A core that stays: many runs at once, until somebody ends it.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use super::run::Run;
use super::server::{Core, ServeError, io_error, load_aside};
use super::take_up::TakeUp;
use crate::config::Config;
use crate::control;
use crate::journal::JournalReader;
use crate::state::{RuntimeFolder, StateFolder, prune};
use crate::topic::Topics;

/// How often to look which runs are over.
const LOOK: Duration = Duration::from_secs(1);
/// How long the sinks of a run that is over may back off before it is left, to be
/// taken up again later.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to try what runs have left.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// How often old runs are removed.
const PRUNE: Duration = Duration::from_secs(60 * 60);
/// How long a call of a sink may take that is under way when its run is left.
const LAST_CALL: Duration = Duration::from_secs(90);

/// A core that serves whoever attaches, in this process.
pub struct Staying {
    core: Arc<Core>,
    tasks: Vec<JoinHandle<()>>,
    /// Removed with this.
    runtime: RuntimeFolder,
}

impl Staying {
    /// Begins to serve, with `topics` for what guests publish; goes on with runs whose pytest has outlived their core. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// A folder or socket that cannot be made.
    pub async fn start(
        config: Config,
        state: StateFolder,
        topics: Topics,
    ) -> Result<Self, ServeError> {
        let runtime = RuntimeFolder::make().map_err(io_error("cannot make a runtime folder"))?;
        let listener =
            UnixListener::bind(runtime.socket()).map_err(io_error("cannot make a socket"))?;
        let core = Core::new(config, state, &runtime, topics);
        let core = Arc::new(Core {
            stays: true,
            ..core
        });
        core.adopt().await;
        core.start(listener);
        let tasks = vec![
            tokio::spawn(Arc::clone(&core).let_go()),
            tokio::spawn(take_up_again(Arc::clone(&core))),
            tokio::spawn(prune_again(Arc::clone(&core))),
        ];
        Ok(Self {
            core,
            tasks,
            runtime,
        })
    }

    /// What pytest is told to attach: see `--sinks-host`.
    #[must_use]
    pub fn address(&self) -> &Path {
        self.runtime.address()
    }

    /// Ends it. What is not delivered stays in the journals, and pytest goes on writing
    /// to its segments, for whoever takes them up.
    pub async fn end(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.core.end().await;
    }
}

impl Core {
    /// Goes on with runs that nobody serves and whose pytest still runs.
    async fn adopt(&self) {
        for id in self.state.runs() {
            let run = match self.orphan(&id) {
                Ok(Some(run)) => run,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!("run {id} is left as it is: {error}");
                    continue;
                }
            };
            tracing::info!("run {id} goes on");
            let delivered = match self.restored(&run) {
                Ok(specs) => match load_aside(specs, self.forbidden.clone()).await {
                    Ok(Ok(sinks)) => run.deliver(&sinks).map_err(|error| error.to_string()),
                    Ok(Err(bad)) => Err(bad.to_string()),
                    Err(error) => Err(error.to_string()),
                },
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = delivered {
                tracing::error!("run {id} goes on without its sinks: {error}");
            }
        }
    }

    fn orphan(&self, id: &str) -> Result<Option<Arc<Run>>, String> {
        if self.state.is_owned(id) || is_closed(&self.state.journal_of(id)) {
            return Ok(None);
        }
        let folder = self.state.take_up(id).map_err(|error| error.to_string())?;
        let Some(folder) = folder else {
            return Ok(None);
        };
        let run = Run::start_within(folder, self.config.journal);
        let mut run = run.map_err(|error| error.to_string())?;
        run.publish_to(self.topics.clone());
        if run.living_processes().is_empty() {
            return Ok(None);
        }
        if let Some(folder) = run.folder() {
            self.show_address(folder);
        }
        let run = Arc::new(run);
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(id.to_owned(), Arc::clone(&run));
        Ok(Some(run))
    }

    /// Lets go of runs that are over, so that this core does not grow with them.
    async fn let_go(self: Arc<Self>) {
        let mut idle_since = std::collections::BTreeMap::<String, Instant>::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let runs = {
                let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                runs.clone()
            };
            idle_since.retain(|id, _| runs.contains_key(id));
            for (id, run) in runs {
                if !run.is_idle() {
                    idle_since.remove(&id);
                    continue;
                }
                let since = *idle_since.entry(id.clone()).or_insert_with(Instant::now);
                // Somebody is about to be told how far its sinks are: see `finished`.
                let is_awaited = Arc::strong_count(&run) > 2;
                if !is_awaited && (run.is_delivered() || since.elapsed() > PATIENCE) {
                    drop(run);
                    self.let_go_of(&id);
                }
            }
        }
    }

    fn let_go_of(&self, id: &str) {
        let removed = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.remove(id)
        };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.remove(id);
        drop(plans);
        let Some(run) = removed else { return };
        match Arc::try_unwrap(run) {
            Ok(run) => {
                control::forget_address(&self.state.folder_of(id));
                // Until calls have ended that are under way.
                tokio::task::spawn_blocking(move || run.leave(LAST_CALL));
            }
            Err(run) => {
                let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                runs.insert(id.to_owned(), run);
            }
        }
    }
}

/// Nothing more is to come. Asked first: to take a run up is more work.
fn is_closed(journal: &Path) -> bool {
    let head = JournalReader::open(journal).and_then(|reader| {
        let head = reader.map(|reader| reader.head());
        head.transpose()
    });
    matches!(head, Ok(Some(head)) if head.closed)
}

/// Delivers what runs have left, now and then.
async fn take_up_again(core: Arc<Core>) {
    loop {
        let round = TakeUp::new(&core.state, &core.topics);
        round.begin(core.newest());
        let _ended_with_this = Ending(round);
        tokio::time::sleep(AGAIN).await;
    }
}

struct Ending(TakeUp);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn prune_again(core: Arc<Core>) {
    loop {
        if let Err(error) = prune::in_background(core.state.clone(), core.newest().keep) {
            tracing::warn!("old runs are not removed: {error}");
        }
        tokio::time::sleep(PRUNE).await;
    }
}
