//! `host job-shim`: the parent of a job's process, which outlives the host.

mod descendants;
mod ladder;
mod order;

use std::io::{self, PipeReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::folder::write_json;
use super::output::Writer;
use descendants::end_descendants;
use ladder::Ladder;
pub use order::{EXIT, Exit, LOCK, ORDER, Order, STOP};

/// How often it looks whether it is to stop the process, or the process has ended.
const LOOK: Duration = Duration::from_millis(20);
/// What is read before it looks.
const READ: usize = 1 << 20;
/// How long the last of the output is read once the process has ended, where something
/// else goes on printing.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// Runs what is ordered in `folder`, to its end.
///
/// # Errors
///
/// Where there is no order, or nobody can be told how it ended.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    // Nothing that ends the host, or its terminal, ends this.
    let _ = rustix::process::setsid();
    // What a job leaves behind becomes this process's child, and is found.
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let order: Order = serde_json::from_slice(&std::fs::read(folder.join(ORDER))?)?;
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&told))?;
    }
    // Handled, not ignored, as SIGINT is, whatever this process was started with: what is
    // ignored here would be ignored in the job, which could not be interrupted then.
    for signal in [SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let mut output = Writer::new(folder, order.output)?;
    let mut exit = match start(&order) {
        Ok((main, pipe)) => Shim {
            main,
            pipe: Some(pipe),
            stop: folder.join(STOP),
            told,
            ladder: Ladder::new(main, Duration::try_from_secs_f64(order.stop_grace)?),
        }
        .attend(&mut output)?,
        Err(problem) => Exit {
            problem: Some(problem),
            ..Exit::default()
        },
    };
    exit.lost = output.lost;
    exit.why_lost = output.problem.map(|problem| problem.to_string());
    write_json(&folder.join(EXIT), &exit)?;
    Ok(())
}

/// Starts the process, in a group of its own; or says why it cannot be.
fn start(order: &Order) -> Result<(Pid, PipeReader), String> {
    let shown = order.program.display();
    if !order.directory.is_dir() {
        return Err(format!(
            "{shown} was not run: the folder {} is not there",
            order.directory.display()
        ));
    }
    let spawn = || {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        let mut command = Command::new(&order.program);
        command
            .args(&order.args)
            .current_dir(&order.directory)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        // Whatever host the server itself was started under is not the job's.
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.as_encoded_bytes().starts_with(b"PYTEST_HOST")) {
            command.env_remove(name);
        }
        let child = command.envs(&order.environment).spawn()?;
        let main = Pid::from_raw(child.id().cast_signed());
        Ok((
            main.ok_or_else(|| io::Error::other("it has no id"))?,
            reader,
        ))
    };
    spawn().map_err(|error: io::Error| format!("{shown} cannot be run: {error}"))
}

/// A process and what it is waited for with.
struct Shim {
    main: Pid,
    /// None once everybody has closed it.
    pipe: Option<PipeReader>,
    stop: PathBuf,
    told: Arc<AtomicBool>,
    ladder: Ladder,
}

impl Shim {
    fn attend(mut self, output: &mut Writer) -> io::Result<Exit> {
        let status = loop {
            self.take_in(output);
            if let Some(status) = self.reap()? {
                break status;
            }
            if !self.ladder.is_begun() && (self.told.load(Ordering::Relaxed) || self.stop.exists())
            {
                self.ladder.begin();
            }
            self.ladder.step();
            self.wait();
        };
        if self.ladder.is_begun() {
            end_descendants(self.main);
        }
        // Something else may have the pipe open for ever.
        let until = Instant::now() + LAST_OUTPUT;
        while self.take_in(output) && Instant::now() < until {}
        Ok(Exit {
            returncode: status.and_then(returncode),
            ..Exit::default()
        })
    }

    /// Reads what is there, up to a limit; whether there may be more at once.
    fn take_in(&mut self, output: &mut Writer) -> bool {
        let mut buffer = [0; 64 << 10];
        let mut taken = 0;
        while taken < READ {
            let Some(pipe) = &mut self.pipe else {
                return false;
            };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(read) => {
                    output.write(buffer.get(..read).unwrap_or_default());
                    taken += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.pipe = None,
            }
        }
        true
    }

    /// Takes notice of whoever has ended; with how, where that is the process itself.
    /// A status that nobody has is that of a process that somebody else has waited for.
    fn reap(&self) -> io::Result<Option<Option<WaitStatus>>> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.main => return Ok(Some(Some(status))),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return Ok(None),
                Err(rustix::io::Errno::CHILD) => return Ok(Some(None)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait(&self) {
        let Some(pipe) = &self.pipe else {
            std::thread::sleep(LOOK);
            return;
        };
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(LOOK.subsec_nanos()),
        };
        // Interrupted by a signal, it has waited long enough.
        let _ = poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&timeout));
    }
}

/// As Python's `subprocess` has it.
fn returncode(status: WaitStatus) -> Option<i32> {
    let signal = status.terminating_signal().map(|signal| -signal);
    status.exit_status().or(signal)
}
