//! A job's process is followed to its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::process::Child;

use super::Inner;
use crate::job::State;
use crate::job::folder::is_locked;
use crate::job::queue::{Entry, Table};
use crate::job::record::{Outcome, Phase, run_folder};
use crate::job::shim::{EXIT, Exit, LOCK};

/// How often a shim is looked for that an earlier host has started.
const LOOK: Duration = Duration::from_millis(100);

impl Inner {
    /// Goes on where the last host was.
    pub(super) fn take_up(self: &Arc<Self>) {
        let mut table = self.table();
        let numbers: Vec<u64> = table
            .entries
            .iter()
            .map(|entry| entry.record.number)
            .collect();
        for number in numbers {
            let Some(entry) = table.numbered(number) else {
                continue;
            };
            match entry.record.phase {
                Phase::Ended if entry.record.removed => table.discard(number),
                Phase::Running => self.follow(entry, None),
                _ => {}
            }
        }
        self.run_those_whose_turn_it_is(&mut table);
    }

    /// Waits for the shim of the job, which is `child` where this host has started it.
    pub(super) fn follow(self: &Arc<Self>, entry: &Entry, child: Option<Child>) {
        let number = entry.record.number;
        let run = run_folder(&entry.folder, entry.record.run);
        // A host that has stopped is not kept by the jobs that go on.
        let host = Arc::downgrade(self);
        self.runtime.spawn(wait(host, number, run, child));
    }

    fn ended(self: &Arc<Self>, number: u64, run: &Path) {
        let outcome = outcome(run);
        let mut table = self.table();
        self.end(&mut table, number, outcome);
        table.prune(self.settings.keep_jobs);
        self.run_those_whose_turn_it_is(&mut table);
    }

    /// The job has ended: it is written down and told.
    pub(super) fn end(&self, table: &mut Table, number: u64, mut outcome: Outcome) {
        outcome.ended = table.number();
        let Some(entry) = table.numbered(number) else {
            return;
        };
        let record = &mut entry.record;
        let ran = record.phase == Phase::Running && outcome.returncode.is_some();
        if record.phase == Phase::Running {
            outcome.run = record.run;
        }
        record.state = match record.collecting && ran {
            true => State::Collected,
            false => State::Done,
        };
        record.phase = Phase::Ended;
        record.outcome = Some(outcome);
        entry.save();
        self.publish(entry);
        if entry.record.removed {
            table.discard(number);
        }
    }
}

async fn wait(host: Weak<Inner>, number: u64, run: PathBuf, child: Option<Child>) {
    if let Some(mut child) = child
        && let Err(error) = child.wait().await
    {
        tracing::warn!("a job's shim cannot be waited for: {error}");
    }
    let lock = run.join(LOCK);
    while is_locked(&lock) {
        tokio::time::sleep(LOOK).await;
    }
    let Some(host) = host.upgrade() else { return };
    let ended = tokio::task::spawn_blocking(move || host.ended(number, &run));
    if let Err(error) = ended.await {
        tracing::error!("a job's end was not taken notice of: {error}");
    }
}

/// What the shim has written down.
fn outcome(run: &Path) -> Outcome {
    let read = || -> io::Result<Exit> {
        let text = std::fs::read(run.join(EXIT))?;
        Ok(serde_json::from_slice(&text)?)
    };
    match read() {
        Ok(exit) => {
            let mut notes = Vec::new();
            if exit.lost > 0 {
                let why = exit.why_lost.unwrap_or_default();
                let lost = exit.lost;
                notes.push(format!("{lost} bytes of its output could not be kept: {why}"));
            }
            notes.extend(exit.problem);
            Outcome {
                returncode: exit.returncode,
                notes,
                ..Outcome::default()
            }
        }
        Err(_) => Outcome {
            notes: vec![
                "nobody knows how it ended: what ran it was killed, or the machine was started again"
                    .to_owned(),
            ],
            ..Outcome::default()
        },
    }
}
