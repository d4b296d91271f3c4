//! What a process has started, and what that has started.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group};

/// One that the kernel does not let go of is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends the group of `main`, and everything that descends from this process.
pub fn end_descendants(main: Pid) {
    let _ = kill_process_group(main, Signal::KILL);
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // Those that lost their parent are this process's children.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        let left = descendants();
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Linux alone tells, and alone hands orphans to their nearest ancestor that wants
/// them; elsewhere the group is all there is.
fn descendants() -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes: Vec<(i32, i32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parent(&stat)?))
        })
        .collect();
    let mut found = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(of) = found.get(at).copied() {
        let children = processes.iter().filter(|(_, parent)| *parent == of);
        found.extend(children.map(|(pid, _)| *pid));
        at += 1;
    }
    found
        .into_iter()
        .skip(1)
        .filter_map(Pid::from_raw)
        .collect()
}

/// It stands behind the name, which is in parentheses and may hold some, and the state.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_behind_name_and_state() {
        assert_eq!(parent("12 (a) b) S 34 12 12 0"), Some(34));
        assert_eq!(parent("12 (a"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn children_of_children_are_found() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & read x"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let shell = Pid::from_child(&child);
        let until = Instant::now() + PATIENCE;
        let sleeper = loop {
            let found = descendants();
            let entries = found.iter().filter(|pid| **pid != shell);
            let of_shell = entries.copied().find(|pid| {
                let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
                let stat = std::fs::read_to_string(stat).unwrap_or_default();
                parent(&stat) == Some(shell.as_raw_nonzero().get())
            });
            if let Some(pid) = of_shell {
                break pid;
            }
            assert!(Instant::now() < until, "{found:?}");
        };
        rustix::process::kill_process(sleeper, Signal::KILL).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
