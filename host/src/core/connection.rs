//! One connection of the adapter: hello, what follows, and its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::change::Plan;
use super::lines::{read_line, write_line};
use super::run::Run;
use super::server::{Core, LOOK, load_aside};
use crate::config::SinkSpec;
use crate::guest::sink::Sink;
use crate::intake::Command;
use crate::protocol::PROTOCOL;
use crate::protocol::message::{Finished, FromAdapter, FromHost, Hello, Role, Swap, Welcome};

const SEGMENT_BYTES: u64 = 1 << 20;
const UNREAD_BYTES: u64 = 64 << 20;

impl Core {
    /// Serves one process of the adapter until it closes its connection, or carries out
    /// what somebody else asks for.
    pub async fn attend(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let first = read_line(&mut reader).await?;
        let (token, protocol) = match &first {
            Some(FromAdapter::Hello(hello)) => (&hello.token, hello.protocol),
            Some(FromAdapter::Swap(swap)) => (&swap.token, swap.protocol),
            _ => return Ok(()),
        };
        if *token != self.token {
            return refuse(&mut writer, "wrong token".into()).await;
        }
        if protocol != PROTOCOL {
            let message = format!(
                "the adapter speaks protocol {protocol}, this host {PROTOCOL}: install the same version of both"
            );
            return refuse(&mut writer, message).await;
        }
        match first {
            Some(FromAdapter::Hello(hello)) => match hello.role {
                Role::Session => self.session(*hello, reader, writer).await,
                Role::Worker => self.worker(*hello, reader, writer).await,
            },
            Some(FromAdapter::Swap(swap)) => self.swap(swap, writer).await,
            _ => Ok(()),
        }
    }

    async fn swap(&self, swap: Swap, mut writer: OwnedWriteHalf) -> io::Result<()> {
        let Swap {
            run, sink, module, ..
        } = swap;
        match self.swap_by_hand(&run, &sink, module).await {
            Ok(()) => write_line(&mut writer, &FromHost::Swapped { run, sink }).await,
            Err(message) => refuse(&mut writer, message).await,
        }
    }

    async fn worker(
        &self,
        hello: Hello,
        mut reader: BufReader<OwnedReadHalf>,
        mut writer: OwnedWriteHalf,
    ) -> io::Result<()> {
        let run = hello.run.as_ref().and_then(|id| {
            let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.get(id).cloned()
        });
        let Some(run) = run else {
            return refuse(&mut writer, "no such run".into()).await;
        };
        join(&run, &hello);
        let served = async {
            welcome(&run, self.config.text, false, &mut writer).await?;
            while read_line::<FromAdapter>(&mut reader).await?.is_some() {}
            Ok(())
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
        let specs = match plan.select(&self.newest()) {
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
        let accepted =
            match welcome(&run, self.config.text, self.request.is_none(), &mut writer).await {
                Ok(()) => self.load_and_deliver(&run, specs, plan, &mut writer).await,
                Err(gone) => Err(gone),
            };
        if accepted.is_ok() {
            self.take_up.begin();
            self.follow_session(&run, &mut reader, &mut writer).await;
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

    /// A new run for these sinks.
    fn begin(&self, specs: &[SinkSpec]) -> Result<Run, String> {
        let folder = self.state.new_run().map_err(|error| error.to_string())?;
        if let Err(error) = folder.announce(&self.address) {
            tracing::warn!("no sink of {} can be swapped by hand: {error}", folder.id);
        }
        let run = Run::start_within(folder, self.config.journal);
        // Before pytest is welcomed: what it writes from then on has somewhere to go,
        // even where this core ends while it loads the sinks.
        run.and_then(|run| run.expect(specs).map(|()| run))
            .map_err(|error| error.to_string())
    }

    /// What a session asks for.
    fn plan(&self, hello: &Hello) -> Plan {
        let mut request = hello.request.clone().unwrap_or_default();
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

    async fn load_and_deliver(
        &self,
        run: &Arc<Run>,
        specs: Vec<SinkSpec>,
        mut plan: Plan,
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
        if let Err(error) = run.deliver(&sinks) {
            return refused(writer, error.to_string()).await;
        }
        plan.begin(&sinks);
        if let Some(folder) = run.folder() {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            plans.insert(folder.id.clone(), plan);
        }
        self.changes.notify_one();
        let names = sinks.iter().map(|sink| sink.spec.name.clone()).collect();
        // An adapter that has gone already is followed all the same.
        let _ = write_line(writer, &FromHost::Ready { sinks: names }).await;
        Ok(())
    }

    /// Until the process closes its connection.
    async fn follow_session(
        &self,
        run: &Run,
        reader: &mut BufReader<OwnedReadHalf>,
        writer: &mut OwnedWriteHalf,
    ) {
        while let Ok(Some(message)) = read_line::<FromAdapter>(reader).await {
            let FromAdapter::Finish { timeout } = message else {
                continue;
            };
            let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
            let started = Instant::now();
            while !run.is_idle() && started.elapsed() < timeout {
                tokio::time::sleep(LOOK).await;
            }
            let finished = Finished {
                run: run.folder().map(|folder| folder.id.clone()),
                sinks: run.reports(),
                earlier: Vec::new(),
                refused: run.changes().lines(),
            };
            if write_line(writer, &FromHost::Finished(finished))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

fn join(run: &Run, hello: &Hello) {
    run.tell(Command::Joined {
        process: hello.process.clone(),
        pid: hello.pid,
        worker: hello.worker.clone(),
    });
}

async fn welcome(
    run: &Run,
    text_bytes: u64,
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
        text_bytes,
        finish,
    };
    write_line(writer, &FromHost::Welcome(welcome)).await
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
