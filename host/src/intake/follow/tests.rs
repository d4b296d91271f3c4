//! A core that is killed between any two steps, and the one that goes on.

use super::*;
use crate::guest::bindings::events::{Event, Verdict};
use crate::journal::{BatchLimit, SqliteJournal};
use crate::protocol::segment::testing::segment;

const ALL: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 1 << 20,
};
const SESSION: &[u8] = br#"{"k":"session","t":1,"session":{"rootdir":"/p","invocation_dir":"/p",
    "args":[],"started":1,"pytest_version":"9","python_version":"3","python_prefixes":["",""],
    "hostname":"h","pid":1,"dist":null,"labels":[]}}"#;
const START: &[u8] = br#"{"k":"start","i":"t.py::a","a":1,"t":2}"#;
const END: &[u8] = br#"{"k":"end","i":"t.py::a","a":1,"t":3,"verdict":"passed","passed":{}}"#;
const FINISH: &[u8] = br#"{"k":"finish","t":4,"exitstatus":1,"reason":"maxfail"}"#;
const BYE: &[u8] = br#"{"k":"bye"}"#;
const GOES_ON: [u8; 8] = [0xff; 8];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, process: &str, number: u32) -> PathBuf {
        segment::path(self.0.path(), process, number)
    }

    fn write(&self, process: &str, number: u32, payloads: &[&[u8]], tail: &[u8]) {
        let bytes = segment(payloads, tail);
        std::fs::write(self.file(process, number), bytes).unwrap();
    }

    /// A core, as it is before it looks for the first time.
    fn core(&self) -> Follower {
        let journal = SqliteJournal::open(&self.0.path().join("journal.db")).unwrap();
        let (head, _) = watch::channel(Head::default());
        Follower::new("run", self.0.path().to_owned(), Arc::new(journal), head).unwrap()
    }

    /// A core that goes on to the end, and all events that there are then.
    fn end(&self) -> Vec<Event> {
        let follower = self.core();
        let journal = Arc::clone(&follower.journal);
        let (commands, receiver) = std::sync::mpsc::channel();
        commands.send(Command::Abandon).unwrap();
        follower.run(&receiver).unwrap();
        assert!(journal.head().unwrap().closed);
        let events = journal.read(0, ALL).unwrap();
        events.into_iter().map(|event| event.event).collect()
    }
}

fn started(events: &[Event]) -> usize {
    let is_start = |event: &&Event| matches!(event, Event::TestStarted(_));
    events.iter().filter(is_start).count()
}

#[test]
fn killed_before_a_file_was_deleted() {
    let folder = Folder::new();
    folder.write("main-0", 0, &[SESSION, START], &GOES_ON);
    folder.write("main-0", 1, &[], &[0; 64]);
    let mut killed = folder.core();
    let intake = killed.look().unwrap();
    let position = &intake.positions["main-0"];
    assert_eq!((position.file, position.offset), (1, 0));
    killed.journal.append(&intake).unwrap();
    drop(killed);
    folder.write("main-0", 1, &[END, FINISH, BYE], &[0; 64]);

    let events = folder.end();
    assert_eq!(started(&events), 1);
    assert!(!folder.file("main-0", 0).exists());
    assert!(!folder.file("main-0", 1).exists());
}

#[test]
fn killed_between_the_end_of_the_session_and_that_of_the_run() {
    let folder = Folder::new();
    folder.write("main-0", 0, &[SESSION, START, END, FINISH, BYE], &[0; 64]);
    let mut killed = folder.core();
    let intake = killed.look().unwrap();
    killed.journal.append(&intake).unwrap();
    drop(killed);

    let events = folder.end();
    let Some(Event::SessionFinished(end)) = events.last() else {
        unreachable!("the session's end is last: {events:?}");
    };
    assert_eq!(end.exitstatus, Some(1));
    assert_eq!(end.reason.as_deref(), Some("maxfail"));
    assert!(!folder.file("main-0", 0).exists());
}

/// The worker's own words were not there yet when its controller told of its crash.
#[test]
fn killed_between_a_crash_and_what_its_worker_wrote() {
    let crash = br#"{"k":"crash","t":5,"nodeid":"t.py::a","worker":"gw0","message":"it crashed"}"#;
    let folder = Folder::new();
    folder.write("main-0", 0, &[SESSION, crash], &[0; 64]);
    let mut killed = folder.core();
    let intake = killed.look().unwrap();
    killed.journal.append(&intake).unwrap();
    drop(killed);
    folder.write("main-0", 0, &[SESSION, crash, FINISH, BYE], &[0; 64]);
    folder.write("gw0-0", 0, &[START], &[0; 64]);

    let events = folder.end();
    assert_eq!(started(&events), 1);
    let verdicts: Vec<Verdict> = events
        .iter()
        .filter_map(|event| match event {
            Event::TestFinished(end) => Some(end.verdict),
            _ => None,
        })
        .collect();
    assert_eq!(verdicts, [Verdict::Crashed]);
    let is_told = |event: &Event| matches!(event, Event::PhaseFinished(report) if report.failure.as_ref().is_some_and(|failure| failure.message == "it crashed"));
    assert!(events.iter().any(is_told), "{events:?}");
}

/// As a machine that loses power may leave it: files are deleted that the journal needs again.
#[test]
fn a_journal_that_lost_its_end_is_closed_with_a_gap() {
    let folder = Folder::new();
    folder.write("main-0", 0, &[SESSION, START], &[0; 64]);
    let mut killed = folder.core();
    let intake = killed.look().unwrap();
    killed.journal.append(&intake).unwrap();
    drop(killed);
    std::fs::remove_file(folder.file("main-0", 0)).unwrap();

    let events = folder.end();
    let gaps: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Gap(gap) => Some(gap.reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, ["the journal has lost the last events of main-0"]);
}
