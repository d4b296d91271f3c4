//! A run in a few words, for lines and the screen alike.

use super::failure::age;
use super::model::Run;
use super::runs::{State, Watched};
use crate::guest::bindings::events::Verdict;
use crate::journal::SinkProgress;
use crate::text::printable;

/// What a text says of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Odd,
}

/// `160 passed`, `3 failed`, … in order, without those that are none.
#[must_use]
pub fn counted(run: &Run) -> Vec<(Tone, String)> {
    let verdicts = run.counts.iter().map(|(verdict, word, count)| {
        let tone = match verdict {
            Verdict::Passed => Tone::Good,
            Verdict::Failed | Verdict::Error | Verdict::Crashed => Tone::Bad,
            _ => Tone::Odd,
        };
        (tone, count, word)
    });
    let others = [
        (Tone::Bad, run.subtests_failed, "subtests failed"),
        (Tone::Bad, run.collect_failures, "not collected"),
        (Tone::Bad, run.lost_workers.len() as u64, "workers lost"),
        (Tone::Bad, run.gaps, "events lost"),
        (Tone::Odd, run.not_run, "not run"),
        (Tone::Odd, run.deselected, "deselected"),
        (Tone::Odd, run.warnings, "warnings"),
    ];
    verdicts
        .chain(others)
        .filter(|(_, count, _)| *count > 0)
        .map(|(tone, count, word)| (tone, format!("{count} {}", one(count, word))))
        .collect()
}

/// `1 warning`, not `1 warnings`.
fn one(count: u64, word: &str) -> String {
    if count != 1 {
        return word.to_owned();
    }
    let (first, rest) = word.split_once(' ').unwrap_or((word, ""));
    let first = match first {
        "subtests" | "workers" | "events" | "warnings" => first.trim_end_matches('s'),
        other => other,
    };
    format!("{first} {rest}").trim_end().to_owned()
}

/// `44 passed, 1 failed`
#[must_use]
pub fn counts(run: &Run) -> String {
    let parts: Vec<String> = counted(run).into_iter().map(|(_, text)| text).collect();
    if parts.is_empty() {
        "no test yet".to_owned()
    } else {
        parts.join(", ")
    }
}

/// `163 tests`, as far as is known.
#[must_use]
pub fn size(run: &Run) -> String {
    match (run.is_collected, run.announced) {
        (true, 1) => "1 test".to_owned(),
        (true, count) => format!("{count} tests"),
        (false, 0) => "collecting".to_owned(),
        (false, count) => format!("collecting, {count} tests so far"),
    }
}

/// `pytest 9.2.0, 163 tests`
#[must_use]
pub fn what(run: &Run) -> String {
    if run.started.is_none() {
        return "pytest has not said anything yet".to_owned();
    }
    format!("pytest {}, {}", printable(&run.pytest), size(run))
}

/// What became of it.
#[must_use]
pub fn state(watched: &Watched) -> String {
    match &watched.state {
        State::Running => "running".to_owned(),
        State::Lost => "its host ended; `host drain` takes it up".to_owned(),
        State::Unreadable(reason) => format!("cannot be read: {}", printable(reason)),
        State::Finished => {
            let end = watched.run.end.as_ref();
            let status = end.and_then(|end| end.exitstatus);
            let reason = end.and_then(|end| end.reason.clone());
            let how: Vec<String> = status
                .map(|status| format!("exit status {status}"))
                .into_iter()
                .chain(reason)
                .collect();
            if how.is_empty() {
                "finished".to_owned()
            } else {
                format!("finished ({})", how.join(", "))
            }
        }
    }
}

/// `12.3 s`, or `1m 26s`
#[must_use]
pub fn took(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        age(seconds)
    }
}

/// `finished in 12.3 s: 160 passed, 3 failed (exit status 1)`
#[must_use]
pub fn finished(watched: &Watched, now: f64) -> String {
    let state = state(watched);
    let how = state.strip_prefix("finished").unwrap_or(&state);
    let duration = watched.run.duration(now);
    let duration = duration.map_or_else(String::new, |seconds| format!(" in {}", took(seconds)));
    format!("finished{duration}: {}{how}", counts(&watched.run))
}

/// `publish 163 delivered, 92 left (connection refused)`
#[must_use]
pub fn sink(sink: &SinkProgress) -> String {
    let mut text = format!("{} {} delivered", sink.name, sink.delivered);
    if sink.set_aside > 0 {
        text.push_str(&format!(", {} set aside", sink.set_aside));
    }
    if sink.left > 0 {
        text.push_str(&format!(", {} left", sink.left));
    }
    if sink.disabled {
        text.push_str(", given up on");
    }
    if let Some(error) = &sink.error
        && sink.left + sink.set_aside > 0
    {
        text.push_str(&format!(" ({error})"));
    }
    printable(&text)
}
