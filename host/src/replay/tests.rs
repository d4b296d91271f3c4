use std::sync::mpsc;

use super::*;
use crate::guest::bindings::events::{Event, SessionEnd};
use crate::journal::SqliteJournal;

/// A journal in a file, and one to play it into.
struct Reel {
    folder: tempfile::TempDir,
    original: SqliteJournal,
}

impl Reel {
    fn new(times: &[f64], end: Option<SessionEnd>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let original = SqliteJournal::open(&folder.path().join("original.db")).unwrap();
        let started = |(number, time): (usize, &f64)| Draft {
            time: *time,
            worker: Some("gw1".into()),
            event: Event::TestStarted((format!("t.py::test_{number}"), 1)),
        };
        let mut drafts: Vec<Draft> = times.iter().enumerate().map(started).collect();
        let closed = end.is_some();
        if let (Some(end), Some(last)) = (end, drafts.last_mut()) {
            last.event = Event::SessionFinished(end);
        }
        let intake = Intake {
            drafts,
            closed,
            ..Intake::default()
        };
        original.append(&intake).unwrap();
        Self { folder, original }
    }

    fn play(&self, speed: Option<f64>, commands: &Receiver<Command>) -> (Arc<dyn Journal>, Head) {
        let file = self.folder.path().join("original.db");
        let recording = Recording::open(&file).unwrap().unwrap();
        let copy = SqliteJournal::open(&self.folder.path().join("copy.db")).unwrap();
        let copy: Arc<dyn Journal> = Arc::new(copy);
        let (sender, head) = watch::channel(Head::default());
        recording.play(&copy, &sender, speed, commands).unwrap();
        let head = *head.borrow();
        (copy, head)
    }
}

const ALL: BatchLimit = BatchLimit {
    events: 10_000,
    bytes: 64 << 20,
};

fn ended(exitstatus: Option<i32>) -> Option<SessionEnd> {
    Some(SessionEnd {
        exitstatus,
        reason: None,
    })
}

#[test]
fn it_is_the_same_with_the_same_numbers() {
    let times: Vec<f64> = (0..2500).map(f64::from).collect();
    let reel = Reel::new(&times, ended(Some(0)));
    let (_sender, commands) = mpsc::channel();
    let (copy, head) = reel.play(None, &commands);
    assert_eq!((head.last, head.closed), (2500, true));
    assert_eq!(
        copy.read(0, ALL).unwrap(),
        reel.original.read(0, ALL).unwrap()
    );
}

#[test]
fn a_run_without_an_end_gets_none() {
    let reel = Reel::new(&[1.0, 2.0], None);
    let (_sender, commands) = mpsc::channel();
    let (_, head) = reel.play(None, &commands);
    assert_eq!((head.last, head.closed), (2, false));
}

#[test]
fn a_run_that_was_closed_days_later_is_not_waited_for() {
    let day = 86_400.0;
    let reel = Reel::new(&[0.0, 0.1, 3.0 * day, 3.0 * day], ended(None));
    let (_sender, commands) = mpsc::channel();
    let started = Instant::now();
    let (_, head) = reel.play(Some(1.0), &commands);
    assert_eq!((head.last, head.closed), (4, true));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn nobody_listens_any_more() {
    let reel = Reel::new(&[0.0, 1e6, 2e6], ended(Some(0)));
    let (sender, commands) = mpsc::channel();
    drop(sender);
    let (_, head) = reel.play(Some(1.0), &commands);
    assert_eq!((head.last, head.closed), (1, false));
}
