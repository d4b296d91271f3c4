//! Signals while pytest runs, and whose they are.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// pytest's exit code where it was interrupted.
const INTERRUPTED: i32 = 2;
/// Until a signal that came before pytest ended has been heard of.
const HEARD: Duration = Duration::from_millis(10);
/// So long before its end pytest may be past hearing: Python is closing, and then the process.
const DEAF: Duration = Duration::from_secs(1);

/// While pytest runs, signals are its own: it gets those of the terminal itself, and those sent to
/// us alone are passed on. Afterwards they are ours.
pub struct Signals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
    /// One came that pytest had no part in.
    has_ours: bool,
    /// [`DEAF`], but in tests.
    deaf: Duration,
}

impl Signals {
    /// Handled, not ignored: an ignored signal would be ignored in pytest too.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            has_ours: false,
            deaf: DEAF,
        })
    }

    /// Until pytest has ended.
    ///
    /// A key that is struck as pytest ends is meant for us, unless it is why pytest ended: on a busy
    /// machine the two may be heard of in either order.
    pub async fn wait(&mut self, child: &mut Child) -> std::io::Result<ExitStatus> {
        let mut last = None;
        loop {
            let passed_on = tokio::select! {
                biased;
                _ = self.interrupt.recv() => None,
                _ = self.quit.recv() => None,
                _ = self.terminate.recv() => Some(rustix::process::Signal::TERM),
                _ = self.hangup.recv() => Some(rustix::process::Signal::HUP),
                status = child.wait() => {
                    let status = status?;
                    if is_interrupted(status) {
                        self.forget().await;
                    } else {
                        self.has_ours = last.is_some_and(|at: Instant| at.elapsed() < self.deaf);
                    }
                    return Ok(status);
                }
            };
            last = Some(Instant::now());
            let pid = child
                .id()
                .and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
            if let (Some(signal), Some(pid)) = (passed_on, pid) {
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    }

    /// Until one comes that is ours.
    pub async fn any(&mut self) {
        if std::mem::take(&mut self.has_ours) {
            return;
        }
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }

    /// Passes over those that ended pytest.
    async fn forget(&mut self) {
        tokio::time::sleep(HEARD).await;
        while self.any().now_or_never().is_some() {}
    }
}

fn is_interrupted(status: ExitStatus) -> bool {
    status.code() == Some(INTERRUPTED) || status.signal().is_some()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use rustix::process::{Pid, Signal as Number, WaitId, WaitIdOptions};
    use rustix::process::{getpid, kill_process, waitid};
    use tokio::process::Command;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// Signals that have heard a key. It is ours where pytest ends within `deaf`, and not by it.
    async fn struck(deaf: Duration) -> Signals {
        let mut signals = Signals::new().unwrap();
        signals.deaf = deaf;
        let mut heard = signal(SignalKind::interrupt()).unwrap();
        kill_process(getpid(), Number::INT).unwrap();
        heard.recv().await.unwrap();
        signals
    }

    fn shell(script: &str) -> Child {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", script]).stdin(Stdio::piped());
        shell.spawn().unwrap()
    }

    /// Whether a key is ours that is heard when a process has ended.
    async fn is_ours_after(script: &str) -> bool {
        let mut child = shell(script);
        let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), ended).unwrap();
        let mut signals = struck(LONG).await;
        signals.wait(&mut child).await.unwrap();
        signals.any().now_or_never().is_some()
    }

    /// Whether a key is ours that a process does not heed, which ends some time later.
    async fn is_ours_before(deaf: Duration) -> bool {
        let mut child = shell("read line; exit 1");
        let mut signals = struck(deaf).await;
        let input = child.stdin.take();
        let (status, ()) = tokio::join!(signals.wait(&mut child), async { drop(input) });
        assert_eq!(status.unwrap().code(), Some(1));
        signals.any().now_or_never().is_some()
    }

    /// One test: a signal reaches every one that waits for it in this process.
    #[tokio::test]
    async fn a_key_that_is_struck_as_pytest_ends_is_ours() {
        assert!(is_ours_after("exit 1").await);
        assert!(is_ours_before(LONG).await);
        assert!(!is_ours_before(Duration::ZERO).await, "pytest went on");
        for end in ["exit 2", "kill -INT $$"] {
            assert!(!is_ours_after(end).await, "{end}: it is why pytest ended");
        }
    }
}
