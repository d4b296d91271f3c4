//! What runs of before have left, delivered beside the run that a core was
//! started for. Nobody waits for it, and it ends with the core.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::left::{Left, Living, Refused};
use crate::config::{Config, SinkSpec};
use crate::journal::{JournalError, JournalReader};
use crate::protocol::message::{Earlier, SinkReport};
use crate::state::StateFolder;
use crate::topic::Topics;

/// Runs that are worked on by one core, at most.
const MOST: usize = 20;
/// How often to look how far the sinks are.
const LOOK: Duration = Duration::from_millis(50);
/// How long a sink that only backs off may go without getting anything.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a call of a sink may take that is under way when its run is left.
const LAST_CALL: Duration = Duration::from_secs(90);
/// Behind the tests, and behind the sinks of the run that the core is there for.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The runs of before, oldest first.
pub struct TakeUp {
    state: StateFolder,
    topics: Topics,
    ids: Mutex<Option<Vec<String>>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
    ending: Condvar,
}

#[derive(Default)]
struct Told {
    ending: bool,
    earlier: Vec<Earlier>,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment; answers whether the core ends.
    fn ends_within(&self, time: Duration) -> bool {
        let told = self.told();
        let waited = self
            .ending
            .wait_timeout_while(told, time, |told| !told.ending);
        waited.unwrap_or_else(PoisonError::into_inner).0.ending
    }
}

impl TakeUp {
    /// Of the runs that there are now: those that begin later have a core.
    #[must_use]
    pub fn new(state: &StateFolder, topics: &Topics) -> Self {
        Self {
            state: state.clone(),
            topics: topics.clone(),
            ids: Mutex::new(Some(state.runs())),
            shared: Arc::default(),
        }
    }

    /// Starts the work, on a thread of its own; later calls do nothing.
    ///
    /// `config` has the secrets that the sinks of those runs were left without.
    pub fn begin(&self, config: Config) {
        let ids = self
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(ids) = ids.filter(|ids| !ids.is_empty()) else {
            return;
        };
        let work = Work {
            state: self.state.clone(),
            config,
            topics: self.topics.clone(),
            shared: Arc::clone(&self.shared),
            stuck: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("take up".into());
        if let Err(error) = thread.spawn(move || work.through(&ids)) {
            tracing::warn!("runs from before are left as they are: {error}");
        }
    }

    /// What came of it so far.
    #[must_use]
    pub fn earlier(&self) -> Vec<Earlier> {
        self.shared.told().earlier.clone()
    }

    /// The core ends.
    pub fn end(&self) {
        self.shared.told().ending = true;
        self.shared.ending.notify_all();
    }
}

struct Work {
    state: StateFolder,
    config: Config,
    topics: Topics,
    shared: Arc<Shared>,
    /// Sinks that get nothing now, of whatever run: not waited for again.
    stuck: Vec<SinkSpec>,
}

impl Work {
    fn through(mut self, ids: &[String]) {
        // Of this thread, and of those that it starts; elsewhere it would be of
        // the process.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICE);
        let mut worked_on = 0;
        for id in ids {
            if worked_on == MOST || self.shared.ends_within(Duration::ZERO) {
                return;
            }
            match self.one(id) {
                Ok(true) => worked_on += 1,
                Ok(false) => {}
                Err(why) => tracing::info!("run {id} from before is left as it is: {why}"),
            }
        }
    }

    /// Delivers what one run has left, as far as that goes; answers whether
    /// there was something to do.
    fn one(&mut self, id: &str) -> Result<bool, String> {
        if !has_left(&self.state.journal_of(id)).map_err(|error| error.to_string())? {
            return Ok(false);
        }
        let choose = |spec: &SinkSpec| !self.stuck.contains(spec);
        let (state, config) = (&self.state, &self.config);
        let left = match Left::take_up(state, config, id, choose, Living::Spare, &self.topics) {
            Ok(left) => left,
            Err(Refused::Owned | Refused::Nothing | Refused::Alive) => return Ok(false),
            Err(Refused::Bad(why)) => return Err(why),
        };
        tracing::info!("run {id} from before is taken up");
        self.wait(id, &left);
        self.stuck.extend(left.behind());
        left.leave(LAST_CALL);
        Ok(true)
    }

    /// Until all is delivered, nothing can be for now, or the core ends.
    fn wait(&self, id: &str, left: &Left) {
        let before = left.reports();
        let (mut last, mut moved) = (before.clone(), Instant::now());
        loop {
            let over = left.run().is_delivered();
            let now = left.reports();
            if dealt_with(&now) != dealt_with(&last) {
                moved = Instant::now();
            }
            self.tell(id, &before, &now);
            last = now;
            let is_stuck = left.run().is_idle() && moved.elapsed() > PATIENCE;
            if over || is_stuck || self.shared.ends_within(LOOK) {
                left.run().stop();
                return;
            }
        }
    }

    /// Keeps what this core has done for the run, where it has done something.
    fn tell(&self, id: &str, before: &[SinkReport], now: &[SinkReport]) {
        let done = |sink: &SinkReport| {
            let known = before.iter().find(|known| known.name == sink.name);
            let known = known.cloned().unwrap_or_default();
            SinkReport {
                delivered: sink.delivered.saturating_sub(known.delivered),
                set_aside: sink.set_aside.saturating_sub(known.set_aside),
                ..sink.clone()
            }
        };
        let sinks: Vec<SinkReport> = now.iter().map(done).collect();
        if dealt_with(&sinks) == 0 {
            return;
        }
        let mut told = self.shared.told();
        match told.earlier.iter_mut().find(|earlier| earlier.run == id) {
            Some(earlier) => earlier.sinks = sinks,
            None => told.earlier.push(Earlier {
                run: id.to_owned(),
                sinks,
            }),
        }
    }
}

fn dealt_with(sinks: &[SinkReport]) -> u64 {
    let counts = sinks.iter().map(|sink| sink.delivered + sink.set_aside);
    counts.sum()
}

/// Whether a run has something for a sink. Only looks, so that nobody is told
/// that somebody is at work on a run that has nothing left.
fn has_left(journal: &std::path::Path) -> Result<bool, JournalError> {
    let Some(reader) = JournalReader::open(journal)? else {
        return Ok(false);
    };
    let sinks = reader.sinks()?;
    Ok(sinks.iter().any(|sink| !sink.closed && !sink.disabled))
}
