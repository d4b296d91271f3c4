//! From the adapter's words to the contract's.

use crate::guest::bindings::events;
use crate::journal::Item;
use crate::protocol::{frame, orchestration, pause};

pub fn session(id: &str, session: frame::Session) -> events::Session {
    events::Session {
        id: id.to_owned(),
        rootdir: session.rootdir,
        invocation_dir: session.invocation_dir,
        args: session.args,
        started: session.started,
        pytest_version: session.pytest_version,
        python_version: session.python_version,
        python_prefixes: session.python_prefixes,
        hostname: session.hostname,
        pid: session.pid,
        dist: session.dist,
        labels: session.labels,
    }
}

pub fn test(test: frame::Test) -> events::Test {
    events::Test {
        nodeid: test.nodeid,
        path: test.path,
        line: test.line,
        name: test.name,
        domain: test.domain,
        doc: test.doc,
        keywords: test.keywords,
        group: test.group,
    }
}

pub fn failure(failure: frame::Failure) -> events::Failure {
    events::Failure {
        kind: failure.kind,
        message: failure.message,
        traceback: failure.traceback,
        longrepr: failure.longrepr,
    }
}

pub fn report(item: &Item, attempt: u32, report: frame::Report) -> events::Report {
    events::Report {
        nodeid: item.nodeid.clone(),
        name: item.name.clone(),
        group: item.group.clone(),
        attempt,
        phase: phase(report.phase),
        outcome: outcome(report.outcome),
        xfail_reason: report.xfail_reason,
        start: report.start,
        stop: report.stop,
        duration: report.duration,
        failure: report.failure.map(failure),
        sections: report.sections.into_iter().map(section).collect(),
        properties: report.properties,
        subtest: report.subtest,
    }
}

/// The report of a phase that passed and of which there is nothing more to say.
pub fn passed(
    item: &Item,
    attempt: u32,
    of: frame::Phase,
    (start, stop, duration): (f64, f64, f64),
) -> events::Report {
    let silent = frame::Report {
        phase: of,
        outcome: frame::Outcome::Passed,
        xfail_reason: None,
        start,
        stop,
        duration,
        failure: None,
        sections: Vec::new(),
        properties: Vec::new(),
        subtest: None,
    };
    report(item, attempt, silent)
}

pub fn phase(phase: frame::Phase) -> events::Phase {
    match phase {
        frame::Phase::Setup => events::Phase::Setup,
        frame::Phase::Call => events::Phase::Call,
        frame::Phase::Teardown => events::Phase::Teardown,
    }
}

fn outcome(outcome: frame::Outcome) -> events::Outcome {
    match outcome {
        frame::Outcome::Passed => events::Outcome::Passed,
        frame::Outcome::Failed => events::Outcome::Failed,
        frame::Outcome::Skipped => events::Outcome::Skipped,
        frame::Outcome::Rerun => events::Outcome::Rerun,
        frame::Outcome::Other(word) => events::Outcome::Other(word),
    }
}

pub fn verdict(verdict: frame::Verdict) -> events::Verdict {
    match verdict {
        frame::Verdict::Passed => events::Verdict::Passed,
        frame::Verdict::Failed => events::Verdict::Failed,
        frame::Verdict::Error => events::Verdict::Error,
        frame::Verdict::Skipped => events::Verdict::Skipped,
        frame::Verdict::Xfailed => events::Verdict::Xfailed,
        frame::Verdict::Xpassed => events::Verdict::Xpassed,
        frame::Verdict::Rerun => events::Verdict::Rerun,
        frame::Verdict::Crashed => events::Verdict::Crashed,
        frame::Verdict::Interrupted => events::Verdict::Interrupted,
    }
}

fn section(section: frame::Section) -> events::Section {
    events::Section {
        capture: match section.capture {
            frame::Capture::Out => events::Capture::Out,
            frame::Capture::Err => events::Capture::Err,
            frame::Capture::Log => events::Capture::Log,
            frame::Capture::Other(name) => events::Capture::Other(name),
        },
        title: section.title,
        content: section.content,
        original_size: section.original_size,
    }
}

pub fn pause(pause: frame::PauseRequest) -> events::PauseRequest {
    events::PauseRequest {
        id: pause.id,
        kind: pause_kind(pause.kind),
        nodeid: pause.nodeid,
        task: pause.task,
        timeout: pause.timeout,
        original_failure: pause.original_failure,
        created: pause.created,
    }
}

pub fn pause_kind(kind: pause::Kind) -> events::PauseKind {
    match kind {
        pause::Kind::Failure => events::PauseKind::Failure,
        pause::Kind::Checkpoint => events::PauseKind::Checkpoint,
    }
}

pub fn level(level: orchestration::Level) -> events::Level {
    match level {
        orchestration::Level::Debug => events::Level::Debug,
        orchestration::Level::Info => events::Level::Info,
        orchestration::Level::Warning => events::Level::Warning,
        orchestration::Level::Error => events::Level::Error,
    }
}

pub fn pause_end(pause: frame::PauseEnd) -> events::Event {
    let end = match pause.outcome {
        frame::PauseOutcome::Resumed => events::PauseEnd::Resumed,
        frame::PauseOutcome::TimedOut => events::PauseEnd::TimedOut,
        frame::PauseOutcome::Abandoned => events::PauseEnd::Abandoned,
    };
    let decision = events::Decision {
        outcome: pause.decision.outcome,
        reason: pause.decision.reason,
        failure_reason: pause.decision.failure_reason,
        by: pause.decision.by,
    };
    events::Event::PauseClosed((pause.id, end, decision))
}
