//! Lines for people who read a log.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::failure::{age, test};
use super::news::{News, What};
use super::runs::{State, Watched};
use super::words;

const BAD: Style = AnsiColor::Red.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const ODD: Style = AnsiColor::Yellow.on_default();
const NONE: Style = Style::new();

/// One line; `several` runs are told apart by the end of their names.
#[must_use]
pub fn line(news: &News, several: bool) -> String {
    let (style, text) = match &news.what {
        What::Run { words, .. } => (NONE, format!("run {}: {words}", news.run)),
        What::Failed(failure) => {
            let (word, place, why) = &failure.words;
            let why = dash(why);
            return format!("{}{BAD}{word}{BAD:#} {place}{why}", head(news, several));
        }
        What::Slow(slow) => {
            let name = test(&slow.nodeid, slow.attempt, slow.worker.as_deref());
            (
                ODD,
                format!(
                    "still running, {}: {name}",
                    age(slow.seconds.unwrap_or_default())
                ),
            )
        }
        What::Progress {
            expected,
            done,
            running,
            words,
            ..
        } => (
            NONE,
            format!("{done} of {expected}: {words}; {running} running"),
        ),
        What::Sinks { sinks } => {
            let sinks: Vec<String> = sinks.iter().map(words::sink).collect();
            (NONE, format!("sinks: {}", sinks.join("; ")))
        }
        What::WorkerLost { worker, reason } => {
            let worker = crate::text::printable(worker);
            (BAD, format!("worker {worker} lost{}", dash(reason)))
        }
        What::Gap { count, reason } => (BAD, format!("{count} events lost{}", dash(reason))),
        What::Interrupted { reason } => (ODD, format!("interrupted{}", dash(reason))),
        What::Orchestration { name, message } => (ODD, format!("orchestration {name}: {message}")),
        What::Finished {
            exitstatus, words, ..
        } => {
            let good = *exitstatus == Some(0);
            (if good { GOOD } else { BAD }, words.clone())
        }
        What::Lost { reason } => (BAD, format!("lost: {reason}")),
        What::Unreadable { reason } => (
            BAD,
            format!("cannot be read: {}", crate::text::printable(reason)),
        ),
    };
    format!("{}{style}{text}{style:#}", head(news, several))
}

fn dash(why: &str) -> String {
    if why.is_empty() {
        String::new()
    } else {
        format!(" - {why}")
    }
}

fn head(news: &News, several: bool) -> String {
    let short = match news.what {
        What::Run { .. } => None,
        _ => news.run.rsplit('-').next().filter(|_| several),
    };
    let short = short.map_or_else(String::new, |short| format!("[{short}] "));
    format!("{} {short}", clock(news.time))
}

/// The time of day, here.
fn clock(seconds: f64) -> String {
    crate::clock::local(seconds, "%H:%M:%S")
}

/// A run as it is now, in several lines.
#[must_use]
pub fn state(watched: &Watched, now: f64) -> String {
    let run = &watched.run;
    let mut text = format!("run {}: {}\n", watched.id, words::what(run));
    let mut add = |line: String| {
        let _ = writeln!(text, "  {line}");
    };
    match &watched.state {
        State::Finished => {
            let exit = run.end.as_ref().and_then(|end| end.exitstatus);
            let style = if exit == Some(0) { GOOD } else { BAD };
            add(format!("{style}{}{style:#}", words::finished(watched, now)));
        }
        state => {
            let style = if *state == State::Running { NONE } else { BAD };
            let since = run.duration(now).filter(|_| *state == State::Running);
            let since = since.map_or_else(String::new, |since| format!(" for {}", age(since)));
            add(format!("{style}{}{since}{style:#}", words::state(watched)));
            if run.started.is_some() {
                let (done, expected) = (run.done(), run.expected());
                add(format!("{done} of {expected}: {}", words::counts(run)));
            }
        }
    }
    for ((worker, nodeid, attempt), since) in run.oldest_first() {
        let name = test(nodeid, *attempt, worker.as_deref());
        add(format!("running for {}: {name}", age(now - since)));
    }
    if run.failures_left_out > 0 {
        add(format!("{} failures before these", run.failures_left_out));
    }
    for failure in &run.failures {
        let why = dash(&failure.why());
        add(format!(
            "{BAD}{}{BAD:#} {}{why}",
            failure.word(),
            failure.place()
        ));
    }
    for orchestrated in &run.orchestrated {
        add(format!(
            "orchestration {}",
            crate::text::printable(&orchestrated.name)
        ));
        for row in orchestrated.table(now) {
            add(format!("  {row}"));
        }
    }
    if !watched.sinks.is_empty() {
        let sinks: Vec<String> = watched.sinks.iter().map(words::sink).collect();
        add(format!("sinks: {}", sinks.join("; ")));
    }
    text
}

#[cfg(test)]
mod tests;
