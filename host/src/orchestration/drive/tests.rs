use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::journal::SqliteJournal;
use crate::protocol::orchestration::Check;

struct Adapter {
    folder: tempfile::TempDir,
}

/// A core that drives, and the adapter's end of it.
struct Core {
    news: Sender<News>,
    lines: tokio::sync::mpsc::Receiver<FromHost>,
    thread: std::thread::JoinHandle<()>,
}

impl Adapter {
    fn core(&self, elapsed: Option<f64>, step: u64) -> Core {
        let journal = SqliteJournal::open(&self.folder.path().join("journal.db")).unwrap();
        let begin = Begin {
            orchestration: "demo".into(),
            check: Check {
                description: r#"{"test_name": "demo", "total_seconds": 1.0, "events": [
                    {"name": "long"}, {"name": "often", "interval_sec": 0.05, "overlap": true},
                    {"name": "end", "at_startup": false, "at_teardown": true}]}"#
                    .into(),
                hours: None,
                seed: 0,
                orchestrator: None,
            },
            elapsed,
            step,
        };
        let (news, receiver) = channel();
        let (sender, lines) = tokio::sync::mpsc::channel(1000);
        let thread =
            std::thread::spawn(move || drive(&begin, Arc::new(journal), &receiver, sender));
        Core {
            news,
            lines,
            thread,
        }
    }
}

impl Core {
    fn step(&mut self) -> Step {
        match self.lines.blocking_recv() {
            Some(FromHost::Step(step)) => *step,
            other => panic!("{other:?}"),
        }
    }

    fn ended(&self, number: u64, instance: u32) {
        let _ = self.news.send(News::Ended(Ended {
            orchestration: "demo".into(),
            number,
            instance,
            ok: true,
            message: String::new(),
        }));
    }

    fn dies(self) {
        drop(self.news);
        self.thread.join().unwrap();
    }
}

fn names(step: &Step) -> Vec<(&str, u32)> {
    let starts = step.start.iter();
    starts
        .map(|start| (start.name.as_str(), start.instance))
        .collect()
}

#[test]
fn a_core_goes_on_where_another_one_was() {
    let adapter = Adapter {
        folder: tempfile::tempdir().unwrap(),
    };
    let began = Instant::now();
    let mut core = adapter.core(None, 0);
    let first = core.step();
    assert_eq!(names(&first), [("long", 1), ("often", 2)]);
    core.ended(1, 2);
    // The last step that arrives.
    let mut step = core.step();
    while step.start.is_empty() {
        step = core.step();
    }
    assert_eq!(names(&step), [("often", 3)]);
    let arrived = step.number;
    // One that does not.
    let lost = loop {
        let step = core.step();
        if !step.start.is_empty() {
            break step;
        }
    };
    core.dies();

    let mut core = adapter.core(Some(began.elapsed().as_secs_f64()), arrived);
    // What it does not know to be heard of is told again, and one that is new.
    core.ended(1, 2);
    core.ended(2, 3);
    let again = core.step();
    assert_eq!((again.number, names(&again)), (lost.number, names(&lost)));
    let mut ends = 2;
    let mut instances = vec![1];
    let mut last = again;
    let verdict = loop {
        for start in &last.start {
            assert!(start.instance > *instances.last().unwrap());
            instances.push(start.instance);
            ends += 1;
            core.ended(ends, start.instance);
        }
        if last.stop && instances.first() == Some(&1) {
            instances.remove(0);
            core.ended(ends + 1, 1);
        }
        if let Some(verdict) = last.verdict.clone() {
            break verdict;
        }
        last = core.step();
    };
    assert_eq!(
        verdict,
        crate::protocol::orchestration::Verdict {
            passed: true,
            message: String::new()
        }
    );
    assert!(began.elapsed() >= Duration::from_secs(1));
    core.dies();
}

#[test]
fn what_cannot_be_orchestrated_is_a_verdict() {
    let adapter = Adapter {
        folder: tempfile::tempdir().unwrap(),
    };
    let journal = SqliteJournal::open(&adapter.folder.path().join("journal.db")).unwrap();
    let begin: Begin =
        serde_json::from_str(r#"{"orchestration": "x", "description": "{"}"#).unwrap();
    let (_news, receiver) = channel();
    let (sender, mut lines) = tokio::sync::mpsc::channel(4);
    drive(&begin, Arc::new(journal), &receiver, sender);
    let Some(FromHost::Step(step)) = lines.blocking_recv() else {
        panic!("no step");
    };
    let verdict = step.verdict.unwrap();
    assert!(!verdict.passed);
    assert!(
        verdict.message.starts_with("1:1: unterminated object"),
        "{}",
        verdict.message
    );
}
