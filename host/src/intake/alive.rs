//! Whether a process still runs.

use rustix::process::{Pid, test_kill_process};

/// Whether the process `pid` still runs: one that has ended and was not waited
/// for yet does not.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    let Some(known) = Pid::from_raw(pid.cast_signed()) else {
        return false;
    };
    if test_kill_process(known).is_err_and(|error| error == rustix::io::Errno::SRCH) {
        return false;
    }
    // Linux tells more; elsewhere a zombie counts until its parent looks at it.
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !is_ended(&stat),
        Err(_) => true,
    }
}

/// The state stands behind the name, which is in parentheses and may hold some.
fn is_ended(stat: &str) -> bool {
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| state.starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_does_not_run_even_before_it_is_waited_for() {
        assert!(is_running(std::process::id()));
        assert!(!is_running(0));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while cfg!(target_os = "linux") && is_running(pid) {
            assert!(
                std::time::Instant::now() < deadline,
                "a zombie counts as running"
            );
        }
        child.wait().unwrap();
        assert!(!is_running(pid));
    }

    #[test]
    fn the_state_is_behind_the_name() {
        assert!(is_ended("12 (a) Z b) Z 1 2"));
        assert!(!is_ended("12 (a Z) S 1 2"));
    }
}
