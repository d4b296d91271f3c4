use super::*;
use crate::config::{Config, Request};
use crate::guest::bindings::events::Event;
use crate::journal::{Draft, Intake, Journal as _, Position, SqliteJournal};

fn started(count: u32) -> Intake {
    let draft = |number: u32| Draft {
        time: f64::from(number),
        worker: Some("gw0".into()),
        event: Event::TestStarted((format!("t.py::test_{number}"), 1)),
    };
    let position = Position {
        file: 3,
        offset: 7,
        pid: std::process::id(),
        ..Position::default()
    };
    Intake {
        drafts: (1..=count).map(draft).collect(),
        positions: [("main-1".to_owned(), position)].into(),
        ..Intake::default()
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    journal: SqliteJournal,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A name that a URI would read otherwise.
        let journal = SqliteJournal::open(&folder.path().join("a?b#c%20.db")).unwrap();
        journal.append(&started(2500)).unwrap();
        Self { folder, journal }
    }

    fn from(&self) -> std::path::PathBuf {
        self.folder.path().join("a?b#c%20.db")
    }

    fn copy(&self) -> Result<SqliteJournal, String> {
        let to = self.folder.path().join("copy.db");
        copy_events(&self.from(), &to).map_err(|error| error.to_string())?;
        Ok(SqliteJournal::open(&to).unwrap())
    }
}

#[test]
fn the_copy_has_the_events_and_neither_sinks_nor_process_ids() {
    let fixture = Fixture::new();
    let text = "[sink.publish]\nurl = \"http://127.0.0.1:1\"\nheaders.Authorization = \"s3cr3t\"\n";
    std::fs::write(fixture.folder.path().join("host.toml"), text).unwrap();
    let config = Config::load(fixture.folder.path(), []).unwrap();
    let request = Request {
        sinks: Some(vec!["publish".into()]),
        ..Request::default()
    };
    let spec = config.select(&request).unwrap().remove(0);
    fixture.journal.register(&spec).unwrap();
    let copy = fixture.copy().unwrap();
    assert_eq!(copy.head().unwrap(), fixture.journal.head().unwrap());
    let all = BatchLimit {
        events: 10_000,
        bytes: 1 << 30,
    };
    assert_eq!(
        copy.read(0, all).unwrap(),
        fixture.journal.read(0, all).unwrap()
    );
    let positions = copy.positions().unwrap();
    assert_eq!(
        (positions["main-1"].offset, positions["main-1"].pid),
        (7, 0)
    );
    assert!(copy.sinks().unwrap().is_empty());
    drop(copy);
    let bytes = std::fs::read(fixture.folder.path().join("copy.db")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"s3cr3t"));
}

#[test]
fn processes_of_another_machine_are_nobody_here() {
    let fixture = Fixture::new();
    let copy = fixture.folder.path().join("copy.db");
    copy_events(&fixture.from(), &copy).unwrap();
    adopt(&copy, &[("main-1", 4), ("gw0-77", 2)]).unwrap();
    let positions = SqliteJournal::open(&copy).unwrap().positions().unwrap();
    assert_eq!(positions["main-1"].file, 3, "it was read beyond its start");
    let worker = &positions["gw0-77"];
    assert_eq!((worker.file, worker.pid), (2, 0));
    assert_eq!(worker.worker.as_deref(), Some("gw0"));
}

#[test]
fn what_a_journal_does_not_have_is_refused() {
    for foreign in [
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
        "ALTER TABLE run ADD COLUMN big ANY GENERATED ALWAYS AS (zeroblob(1000000))",
        "DROP TABLE run; CREATE VIEW run AS SELECT 0 AS closed",
    ] {
        let fixture = Fixture::new();
        let connection = Connection::open(fixture.from()).unwrap();
        connection.execute_batch(foreign).unwrap();
        let refused = fixture.copy().err().unwrap();
        assert_eq!(
            refused, "the journal: it holds more than a journal does",
            "{foreign}"
        );
    }
}

#[test]
fn what_is_missing_or_no_event_or_newer_is_refused() {
    for (change, expected) in [
        ("DELETE FROM events WHERE seq = 1700", "events are missing"),
        (
            "UPDATE events SET event = '{}', sum = NULL WHERE seq = 9",
            "cannot read",
        ),
        (
            "UPDATE events SET worker = 'gw7' WHERE seq = 9",
            "event 9 is not what was written",
        ),
        (
            "INSERT INTO items (collection, position, nodeid, name, sum) VALUES ('c', 0, 'n', 'n', 1)",
            "items is what was written",
        ),
        ("PRAGMA user_version = 99", "this host knows up to"),
        ("DROP TABLE items", "no such table"),
    ] {
        let fixture = Fixture::new();
        let connection = Connection::open(fixture.from()).unwrap();
        connection.execute_batch(change).unwrap();
        let refused = fixture.copy().err().unwrap();
        assert!(refused.contains(expected), "{change}: {refused}");
    }
}
