//! What changes while a run goes on: its sinks follow the configuration and their
//! modules, or whoever swaps one by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::run::Run;
use super::server::{Core, load_aside, selected};
use super::watch::{Watch, settled};
use crate::config::{BadInput, Config, ModuleSource, Request, SinkSpec};
use crate::dispatch::Refused;
use crate::guest::module;
use crate::guest::sink::Sink;

/// What stands for the configuration where changes are told of by sink.
const CONFIGURATION: &str = "";

/// What a run follows.
pub struct Plan {
    /// The working directory of its session, and what that asked for.
    pub directory: PathBuf,
    pub request: Request,
    /// What files said when they were looked at last, in the order of the sinks.
    seen: Vec<Seen>,
}

/// A sink as files had it, right or not.
struct Seen {
    spec: SinkSpec,
    /// The module's; none where it could not be read.
    digest: Option<String>,
}

impl Seen {
    fn is(&self, spec: &SinkSpec, digest: Option<&str>) -> bool {
        self.digest.as_deref() == digest && self.spec.comes_to_the_same_as(spec)
    }
}

impl Plan {
    #[must_use]
    pub fn new(directory: PathBuf, request: Request) -> Self {
        Self {
            directory,
            request,
            seen: Vec::new(),
        }
    }

    /// These are what the run has started with.
    pub fn begin(&mut self, sinks: &[Sink]) {
        self.seen = sinks
            .iter()
            .map(|sink| Seen {
                spec: sink.spec.clone(),
                digest: Some(sink.module.digest.clone()),
            })
            .collect();
    }

    /// `config`, for the session's working directory.
    #[must_use]
    pub fn within(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.directory.clone_from(&self.directory);
        config
    }

    /// The sinks that the plan comes to with `config`.
    pub fn select(&self, config: &Config) -> Result<Vec<SinkSpec>, BadInput> {
        selected(&self.within(config), &self.request)
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.seen.iter().filter_map(|seen| match &seen.spec.module {
            ModuleSource::Builtin(_) => None,
            ModuleSource::File(path) => Some(path.clone()),
        })
    }
}

impl Core {
    /// Looks at the files again whenever one of them has changed, or a run began.
    pub async fn follow(self: Arc<Self>) {
        let mut watch: Option<Watch> = None;
        loop {
            settled(&self.changes).await;
            let watch = watch.get_or_insert_with(|| Watch::new(Arc::clone(&self.changes)));
            // Before they are read: what changes from here on is noticed.
            let files = self.files();
            watch.set(&files);
            self.look().await;
            if self.files() != files {
                self.changes.notify_one();
            }
        }
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let modules = plans.values().flat_map(Plan::files);
        modules.chain(self.config.file.clone()).collect()
    }

    /// The configuration as it was last found right.
    pub fn newest(&self) -> Config {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.clone()
    }

    async fn look(&self) {
        let mut plans = {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *plans)
        };
        let read = self.config.again(std::env::vars());
        let mut is_right = read.is_ok();
        for (id, plan) in &mut plans {
            let Some(run) = self.run(id) else { continue };
            let wanted = match &read {
                Ok(config) => plan.select(config),
                Err(bad) => Err(bad.clone()),
            };
            is_right &= wanted.is_ok();
            self.look_for(&run, plan, wanted).await;
        }
        if let Ok(config) = read
            && is_right
        {
            // For sessions that begin later.
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = config;
        }
        let mut begun = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        begun.append(&mut plans);
    }

    /// One run: what is other than before is loaded, and takes over when it can.
    async fn look_for(
        &self,
        run: &Arc<Run>,
        plan: &mut Plan,
        wanted: Result<Vec<SinkSpec>, BadInput>,
    ) {
        let wanted = match wanted {
            Ok(specs) => {
                run.changes().accept(CONFIGURATION);
                specs
            }
            Err(bad) => {
                run.changes().refuse(CONFIGURATION, &bad.to_string());
                plan.seen.iter().map(|seen| seen.spec.clone()).collect()
            }
        };
        let mut before: BTreeMap<String, Seen> = std::mem::take(&mut plan.seen)
            .into_iter()
            .map(|seen| (seen.spec.name.clone(), seen))
            .collect();
        for spec in wanted {
            let digest = digest_aside(&spec.module).await;
            let known = before.remove(&spec.name);
            if known.is_none_or(|known| !known.is(&spec, digest.as_deref())) {
                self.replaced.store(true, Ordering::Relaxed);
                self.change(run, spec.clone()).await;
            }
            plan.seen.push(Seen { spec, digest });
        }
        for name in before.into_keys() {
            run.changes().accept(&name);
            let run = Arc::clone(run);
            tokio::spawn(async move {
                match run.remove(&name).await {
                    Ok(()) => tracing::info!(sink = %name, "removed"),
                    Err(refused) => tracing::info!(sink = %name, "not removed: {refused}"),
                }
            });
        }
    }

    /// Loads a sink that is new or other than before. Its turn may come late, when a
    /// call returns, and nobody else waits for that.
    async fn change(&self, run: &Arc<Run>, spec: SinkSpec) {
        let name = spec.name.clone();
        let sink = match self.load_one(spec).await {
            Ok(sink) => sink,
            Err(bad) => return run.changes().refuse(&name, &bad.to_string()),
        };
        let run = Arc::clone(run);
        tokio::spawn(async move {
            match run.put(sink).await {
                Ok(()) => run.changes().accept(&name),
                Err(Refused::Over) => {
                    tracing::info!(sink = %name, "not swapped: {}", Refused::Over)
                }
                Err(Refused::Bad(why)) => {
                    run.changes().refuse(&name, &format!("sink {name}: {why}"));
                }
            }
        });
    }

    /// Lets `module` take over a sink of the run `id`, until a file says otherwise.
    ///
    /// # Errors
    ///
    /// Why the sink goes on as it was.
    pub async fn swap_by_hand(&self, id: &str, name: &str, module: PathBuf) -> Result<(), String> {
        let run = self.run(id).ok_or("no such run")?;
        let sink = run
            .sink(name)
            .ok_or_else(|| format!("the run has no sink {name:?}"))?;
        let spec = SinkSpec {
            module: ModuleSource::File(module),
            ..sink.spec
        };
        let sink = self.load_one(spec).await.map_err(|bad| bad.to_string())?;
        let swapped = run.swap(sink).await;
        swapped.map_err(|refused| format!("sink {name}: {refused}"))?;
        run.changes().accept(name);
        Ok(())
    }

    async fn load_one(&self, spec: SinkSpec) -> Result<Sink, BadInput> {
        let name = spec.name.clone();
        let cannot = |why: String| BadInput(format!("sink {name}: cannot be loaded: {why}"));
        let loaded = load_aside(vec![spec], self.forbidden.clone()).await;
        let mut sinks = loaded.map_err(|error| cannot(error.to_string()))??;
        sinks
            .pop()
            .ok_or_else(|| cannot("it is not there".to_owned()))
    }

    fn run(&self, id: &str) -> Option<Arc<Run>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(id).cloned()
    }
}

async fn digest_aside(source: &ModuleSource) -> Option<String> {
    let source = source.clone();
    let digest = tokio::task::spawn_blocking(move || module::digest(&source));
    digest.await.ok().flatten()
}
