//! A job's process is started.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{Child, Command};

use super::{Inner, environment};
use crate::job::folder::{lock, write_json};
use crate::job::queue::{Entry, Table};
use crate::job::record::{Outcome, Phase, Record, run_folder};
use crate::job::shim::{LOCK, ORDER, Order};
use crate::job::{Settings, State};
use crate::state::private_folder;

impl Inner {
    pub(super) fn run_those_whose_turn_it_is(self: &Arc<Self>, table: &mut Table) {
        while let Some(number) = table.next_to_run(self.settings.max_jobs)
            && let Some(entry) = table.numbered(number)
        {
            let started = self.start(entry);
            if let Err(error) = started {
                let outcome = Outcome {
                    notes: vec![format!("it cannot be started: {error}")],
                    ..Outcome::default()
                };
                self.end(table, number, outcome);
            }
        }
    }

    fn start(self: &Arc<Self>, entry: &mut Entry) -> io::Result<()> {
        let record = &mut entry.record;
        record.run += 1;
        record.phase = Phase::Running;
        if !record.collecting {
            record.state = State::InProgress;
        }
        let run = run_folder(&entry.folder, record.run);
        private_folder(&run)?;
        write_json(&run.join(ORDER), &order(record, &self.settings))?;
        // The shim inherits it, locked: there is no moment in which nobody holds it.
        let held =
            lock(&run.join(LOCK))?.ok_or_else(|| io::Error::other("somebody runs it already"))?;
        entry.save();
        if !entry.record.collecting {
            self.publish(entry);
        }
        let shim = self.spawn(&run, held)?;
        self.follow(entry, Some(shim));
        Ok(())
    }

    fn spawn(&self, run: &Path, held: File) -> io::Result<Child> {
        let mut words = self.settings.shim.iter();
        let program = words
            .next()
            .ok_or_else(|| io::Error::other("there is no program to run it"))?;
        Command::new(program)
            .args(words)
            .arg(run)
            .stdin(Stdio::from(held))
            .stdout(Stdio::null())
            .stderr(File::create(run.join("shim.log"))?)
            .spawn()
    }
}

fn order(record: &Record, settings: &Settings) -> Order {
    let mut args = vec!["-m".to_owned(), "pytest".to_owned()];
    if record.collecting {
        args.push("--collect-only".to_owned());
    }
    args.extend(record.args.iter().cloned());
    Order {
        program: record.interpreter.clone(),
        args,
        directory: record.directory.clone(),
        environment: environment(record, settings.address.clone()),
        stop_grace: settings.stop_grace.as_secs_f64(),
        output: settings.output,
    }
}
