//! Jobs with real processes: anything that runs fast, in place of pytest.

mod ending;
mod queue;
mod restart;
mod states;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;

use super::*;

/// What is kept of a job's output.
const OUTPUT: u64 = 16 << 20;
/// Guards a hang.
const LONG: Duration = Duration::from_secs(60);

/// Not a test: what the tests run as the shim, since there is no binary `host` where a
/// library's tests run.
#[test]
#[ignore = "runs as the shim of other tests' jobs"]
fn shim() {
    let folder = std::env::args().next_back().unwrap();
    run_shim(Path::new(&folder)).unwrap();
}

/// A host's folder, and what a host is opened with.
struct Bench {
    _folder: tempfile::TempDir,
    settings: Settings,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("suite");
        std::fs::create_dir(&directory).unwrap();
        let this = std::env::current_exe().unwrap();
        let shim = ["--ignored", "--exact", "job::tests::shim"];
        let shim = shim.into_iter().map(Into::into);
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/jobs");
        let settings = Settings {
            folder: folder.path().join("jobs"),
            shim: std::iter::once(this.into()).chain(shim).collect(),
            directory,
            interpreter: fixtures.join("any-program").canonicalize().unwrap(),
            address: folder.path().join("address"),
            max_jobs: 2,
            keep_jobs: 100,
            stop_grace: Duration::from_millis(300),
            output: OUTPUT,
            allow: Allow::default(),
        };
        Self {
            _folder: folder,
            settings,
        }
    }

    fn open(&self) -> Jobs {
        Jobs::open(self.settings.clone()).unwrap()
    }

    /// A path in the folder that jobs run in.
    fn path(&self, name: &str) -> PathBuf {
        self.settings.directory.join(name)
    }
}

/// A job that runs a line of shell.
fn sh(id: &str, line: &str) -> NewJob {
    NewJob {
        id: Some(id.to_owned()),
        args: ["sh", "-c", line].map(str::to_owned).to_vec(),
        ..NewJob::default()
    }
}

/// The messages up to the one that says that the job `id` is over, each as
/// `id state returncode text`.
async fn messages(receiver: &mut Receiver<Message>, id: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let message = tokio::time::timeout(LONG, receiver.recv()).await;
        let message = message.expect("no message comes").unwrap();
        let job = message.job();
        let code = job
            .returncode
            .map_or("-".to_owned(), |code| code.to_string());
        let text = job
            .text
            .as_deref()
            .map_or("-".to_owned(), |text| format!("{text:?}"));
        lines.push(format!("{} {} {code} {text}", job.id, job.state.word()));
        if job.id == id && job.state.is_final() {
            return lines;
        }
    }
}

/// Waits for something that has no message.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(LONG, waiting).await;
    waited.unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn until_final(jobs: &Jobs, id: &str) -> Job {
    until(id, async || jobs.get(id).await.unwrap().state.is_final()).await;
    jobs.get(id).await.unwrap()
}

/// The number that the job's process has written into a file.
async fn pid_in(path: &Path) -> u32 {
    let read = || std::fs::read_to_string(path).ok()?.trim().parse().ok();
    until("a pid", async || read().is_some()).await;
    read().unwrap()
}
