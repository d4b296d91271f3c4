//! Signals while pytest runs, and whose they are.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// pytest's exit code where it was interrupted.
const INTERRUPTED: i32 = 2;
/// Until a signal that came before pytest ended has been heard of.
const HEARD: Duration = Duration::from_millis(10);

/// While pytest runs, signals are its own: it gets those of the terminal itself, and those sent to
/// us alone are passed on. Afterwards they are ours.
pub struct Signals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
    /// One came that pytest had no part in.
    has_ours: bool,
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
        })
    }

    /// Until pytest has ended.
    pub async fn wait(&mut self, child: &mut Child) -> std::io::Result<ExitStatus> {
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
                    }
                    return Ok(status);
                }
            };
            // On a busy machine both may be heard of late: a key that was struck when pytest had ended is
            // meant for us, unless it is why pytest ended.
            if let Some(status) = child.try_wait()? {
                self.has_ours = !is_interrupted(status);
                return Ok(status);
            }
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
    use rustix::process::{Pid, Signal as Number, WaitIdOptions, getpid, kill_process, waitid};
    use tokio::process::Command;
    use tokio::time::timeout;

    use super::*;

    /// A child that has ended, which nobody has heard of; and then a key.
    async fn struck_after(end: &str) -> (Signals, ExitStatus) {
        let mut signals = Signals::new().unwrap();
        let mut child = Command::new("sh").args(["-c", end]).spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(rustix::process::WaitId::Pid(pid), ended).unwrap();
        kill_process(getpid(), Number::INT).unwrap();
        let status = signals.wait(&mut child).await.unwrap();
        (signals, status)
    }

    /// One test: a signal reaches every one that waits for it in this process.
    #[tokio::test]
    async fn a_key_that_is_struck_when_pytest_has_ended_is_ours() {
        let (mut signals, status) = struck_after("exit 1").await;
        assert_eq!(status.code(), Some(1));
        let heard = timeout(Duration::from_secs(20), signals.any()).await;
        assert!(heard.is_ok());

        for end in ["exit 2", "kill -INT $$"] {
            let (mut signals, _) = struck_after(end).await;
            let heard = timeout(5 * HEARD, signals.any()).await;
            assert!(heard.is_err(), "{end}: it is why pytest ended");
        }
    }
}
