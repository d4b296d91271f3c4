//! The pauses that are open in the runs of this core, and who waits for an
//! answer to what was asked of them.
//!
//! Nothing is decided here: the adapter does, and this passes on.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{PollWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::protocol::control::OpenPause;
use crate::protocol::message::FromHost;
use crate::protocol::pause::{Answer, Ask, OVER, Pause, Question};

/// Lines that a process has not read yet: it reads while it is paused, so these are few.
pub const LINES: usize = 64;

/// How often to look at command files where nobody tells of changes.
const POLL: Duration = Duration::from_millis(50);

/// The end of the name of a command file.
const COMMAND: &str = ".resume.json";

#[derive(Clone, Default)]
pub struct Pauses {
    known: Arc<Mutex<Known>>,
    watcher: Arc<Mutex<Option<Watching>>>,
}

#[derive(Default)]
struct Known {
    open: BTreeMap<String, Open>,
    asked: HashMap<u64, Asked>,
    last: u64,
}

/// A pause, and the way to the process that it is in.
struct Open {
    run: String,
    pause: Pause,
    lines: mpsc::Sender<FromHost>,
}

struct Asked {
    pause: String,
    answer: oneshot::Sender<Answer>,
}

enum Watching {
    By(Box<dyn Watcher + Send>),
    /// The adapter looks by itself, less often.
    Impossible,
}

impl Pauses {
    /// A pause was opened by the process that reads `lines`.
    pub fn opened(&self, run: &str, pause: Pause, lines: mpsc::Sender<FromHost>) {
        let (id, files) = (pause.id.clone(), pause.files.clone());
        let open = Open {
            run: run.to_owned(),
            pause,
            lines,
        };
        self.known().open.insert(id.clone(), open);
        if let Some(files) = files {
            self.watch(&files.join("commands"));
            // What came before anybody watched.
            self.look(&id);
        }
    }

    pub fn closed(&self, id: &str) {
        let mut known = self.known();
        known.open.remove(id);
        known.refuse(|asked| asked == id);
    }

    /// The process that reads `lines` is not there any more.
    pub fn gone(&self, lines: &mpsc::Sender<FromHost>) {
        let mut known = self.known();
        known.open.retain(|_, open| !open.lines.same_channel(lines));
        let Known { open, asked, .. } = &mut *known;
        asked.retain(|_, asked| open.contains_key(&asked.pause));
    }

    pub fn answered(&self, answer: Answer) {
        if let Some(asked) = self.known().asked.remove(&answer.ask) {
            // Whoever asked may have left.
            let _ = asked.answer.send(answer);
        }
    }

    /// Those that are open, the oldest first.
    pub fn list(&self) -> Vec<OpenPause> {
        let now = clock::now();
        let known = self.known();
        let mut pauses: Vec<OpenPause> = known
            .open
            .values()
            .map(|open| OpenPause {
                run: open.run.clone(),
                pause: open.pause.clone(),
                left: (open.pause.deadline - now).max(0.0),
            })
            .collect();
        pauses.sort_by(|a, b| a.pause.created.total_cmp(&b.pause.created));
        pauses
    }

    /// Asks the process whose pause it is, and waits for what it says.
    pub async fn ask(&self, id: &str, what: Ask) -> Answer {
        let extends = matches!(what, Ask::Extend { .. });
        let Some(answer) = self.put(id, what) else {
            return Answer::refused(OVER);
        };
        // Without an answer its process is gone.
        let answer = answer.await.unwrap_or_else(|_| Answer::refused(OVER));
        if let Some(deadline) = answer.value.as_f64().filter(|_| extends)
            && let Some(open) = self.known().open.get_mut(id)
        {
            open.pause.deadline = deadline;
        }
        answer
    }

    fn put(&self, id: &str, what: Ask) -> Option<oneshot::Receiver<Answer>> {
        let (sender, answer) = oneshot::channel();
        let mut known = self.known();
        known.last += 1;
        let ask = known.last;
        let question = Question {
            ask,
            pause: id.to_owned(),
            what,
        };
        let lines = &known.open.get(id)?.lines;
        lines.try_send(FromHost::Ask(question)).ok()?;
        let asked = Asked {
            pause: id.to_owned(),
            answer: sender,
        };
        known.asked.insert(ask, asked);
        Some(answer)
    }

    /// Tells the process to look at the pause's command file.
    fn look(&self, id: &str) {
        if let Some(open) = self.known().open.get(id) {
            let pause = id.to_owned();
            let _ = open.lines.try_send(FromHost::Look { pause });
        }
    }

    fn watch(&self, folder: &Path) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let watching = watcher.get_or_insert_with(|| self.watcher());
        if let Watching::By(watcher) = watching
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
        {
            tracing::debug!("{} is not watched: {error}", folder.display());
        }
    }

    fn watcher(&self) -> Watching {
        let recommended = notify::recommended_watcher(self.on_change());
        let error = match recommended {
            Ok(watcher) => return Watching::By(Box::new(watcher)),
            Err(error) => error,
        };
        // Too many watches on this machine, say.
        tracing::info!("command files are polled: {error}");
        let config = notify::Config::default().with_poll_interval(POLL);
        match PollWatcher::new(self.on_change(), config) {
            Ok(watcher) => Watching::By(Box::new(watcher)),
            Err(error) => {
                tracing::warn!("command files are not watched: {error}");
                Watching::Impossible
            }
        }
    }

    fn on_change(&self) -> impl Fn(notify::Result<notify::Event>) + Send + 'static {
        // Not the watcher itself: it would keep itself alive.
        let pauses = Self {
            known: Arc::clone(&self.known),
            watcher: Arc::default(),
        };
        move |event| {
            for path in event.into_iter().flat_map(|event| event.paths) {
                let name = path.file_name().and_then(|name| name.to_str());
                if let Some(id) = name.and_then(|name| name.strip_suffix(COMMAND)) {
                    pauses.look(id);
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whoever asked and has no answer gets none any more: the adapter answers in order.
    fn refuse(&mut self, of: impl Fn(&str) -> bool) {
        let over: Vec<u64> = self
            .asked
            .iter()
            .filter(|(_, asked)| of(&asked.pause))
            .map(|(number, _)| *number)
            .collect();
        for number in over {
            if let Some(asked) = self.asked.remove(&number) {
                let _ = asked.answer.send(Answer::refused(OVER));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::pause::{Decision, Kind};

    fn pause(id: &str) -> Pause {
        Pause {
            id: id.into(),
            run_id: "r".into(),
            kind: Kind::Failure,
            nodeid: "test_a.py::test_b".into(),
            attempt: 1,
            task: "t".into(),
            timeout: 300.0,
            original_failure: None,
            created: 1.0,
            deadline: 301.0,
            pid: 1,
            hostname: String::new(),
            worker: None,
            files: None,
        }
    }

    fn resume() -> Ask {
        Ask::Resume {
            by: "cli".into(),
            decision: Decision::default(),
        }
    }

    async fn question(lines: &mut mpsc::Receiver<FromHost>) -> Question {
        match lines.recv().await.unwrap() {
            FromHost::Ask(question) => question,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn answers_go_to_whoever_asked() {
        let pauses = Pauses::default();
        let (sender, mut lines) = mpsc::channel(LINES);
        pauses.opened("run", pause("a"), sender.clone());
        let asking = pauses.clone();
        let (first, second) = (asking.ask("a", resume()), asking.ask("a", resume()));
        let answering = async {
            let (one, two) = (question(&mut lines).await, question(&mut lines).await);
            pauses.answered(Answer {
                ask: one.ask,
                accepted: true,
                ..Answer::default()
            });
            // The second was not read when the pause was over.
            assert_ne!(one.ask, two.ask);
            pauses.closed("a");
        };
        let (first, second, ()) = tokio::join!(first, second, answering);
        assert!(first.accepted);
        assert_eq!(second, Answer::refused(OVER));
        assert_eq!(pauses.ask("a", resume()).await, Answer::refused(OVER));
    }

    #[tokio::test]
    async fn a_process_that_goes_takes_its_pauses_along_and_no_others() {
        let pauses = Pauses::default();
        let (sender, mut lines) = mpsc::channel(LINES);
        let (other, _lines) = mpsc::channel(LINES);
        pauses.opened("run", pause("a"), sender.clone());
        pauses.opened("run", pause("b"), other);
        let asking = pauses.ask("a", resume());
        let going = async {
            question(&mut lines).await;
            pauses.gone(&sender);
        };
        let (answer, ()) = tokio::join!(asking, going);
        assert_eq!(answer, Answer::refused(OVER));
        let left: Vec<String> = pauses
            .list()
            .into_iter()
            .map(|open| open.pause.id)
            .collect();
        assert_eq!(left, ["b"]);
    }

    #[tokio::test]
    async fn a_command_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("commands")).unwrap();
        let pauses = Pauses::default();
        let (sender, mut lines) = mpsc::channel(LINES);
        let files = Some(folder.path().to_owned());
        pauses.opened(
            "run",
            Pause {
                files,
                ..pause("a")
            },
            sender,
        );
        let look = FromHost::Look { pause: "a".into() };
        assert_eq!(lines.recv().await.unwrap(), look);
        std::fs::write(folder.path().join("commands/a.resume.json"), "{}").unwrap();
        assert_eq!(lines.recv().await.unwrap(), look);
    }
}
