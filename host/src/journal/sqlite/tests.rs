use super::*;
use crate::guest::bindings::events::Event;
use crate::journal::Draft;

fn journal() -> (tempfile::TempDir, SqliteJournal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&folder.path().join("journal.db")).unwrap();
    (folder, journal)
}

fn drafts(count: u32) -> Intake {
    let draft = |number: u32| Draft {
        time: f64::from(number),
        worker: Some("gw0".into()),
        event: Event::TestStarted((format!("t.py::test_{number}"), 1)),
    };
    Intake {
        drafts: (1..=count).map(draft).collect(),
        ..Intake::default()
    }
}

const ALL: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 1 << 20,
};

#[test]
fn a_journal_of_the_first_format_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    drop(SqliteJournal::open(&file).unwrap());
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch(
        "ALTER TABLE processes DROP COLUMN unsaid; ALTER TABLE sinks DROP COLUMN removed;
         DROP TABLE calls;
         PRAGMA user_version = 1",
    )
    .unwrap();
    for table in [
        "events",
        "processes",
        "items",
        "sinks",
        "pending",
        "dead_letters",
        "state",
    ] {
        let drop = format!("ALTER TABLE {table} DROP COLUMN sum");
        old.execute_batch(&drop).unwrap();
    }
    drop(old);
    let journal = SqliteJournal::open(&file).unwrap();
    assert_eq!(journal.positions().unwrap().len(), 0);
    drop(journal);
    drop(SqliteJournal::open(&file).unwrap());
}

#[test]
fn events_come_back_in_order_and_numbered() {
    let (_folder, journal) = journal();
    let head = journal.append(&drafts(3)).unwrap();
    assert_eq!((head.last, head.closed), (3, false));
    let events = journal.read(1, ALL).unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(
        events[0].event,
        Event::TestStarted(("t.py::test_2".into(), 1))
    );
    assert_eq!(events[0].worker.as_deref(), Some("gw0"));
    assert_eq!(journal.pick(&[3, 1], usize::MAX).unwrap().len(), 2);
}

#[test]
fn a_batch_ends_at_its_size_but_has_at_least_one_event() {
    let (_folder, journal) = journal();
    journal.append(&drafts(10)).unwrap();
    let limit = BatchLimit {
        events: 4,
        bytes: 1 << 20,
    };
    assert_eq!(journal.read(0, limit).unwrap().len(), 4);
    let limit = BatchLimit {
        events: 4,
        bytes: 1,
    };
    assert_eq!(journal.read(0, limit).unwrap().len(), 1);
}

#[test]
fn intake_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let position = Position {
        file: 2,
        offset: 4711,
        ended: false,
        pid: 12,
        worker: Some("gw1".into()),
        collection: Some("abc".into()),
        unsaid: Some("{}".into()),
    };
    let items = Items {
        collection: "abc".into(),
        first: 0,
        items: vec![Item {
            nodeid: "t.py::test".into(),
            name: "test".into(),
            group: None,
        }],
    };
    let mut intake = drafts(1);
    intake.positions.insert("gw1-12".into(), position.clone());
    intake.items.push(items.clone());
    intake.closed = true;
    SqliteJournal::open(&file).unwrap().append(&intake).unwrap();

    let journal = SqliteJournal::open(&file).unwrap();
    assert_eq!(journal.positions().unwrap()["gw1-12"], position);
    assert_eq!(journal.items().unwrap(), [items]);
    assert_eq!(
        journal.head().unwrap(),
        Head {
            last: 1,
            closed: true,
            lost: 0
        }
    );
}

#[test]
fn a_sinks_progress_is_one_thing() {
    let (_folder, journal) = journal();
    journal.append(&drafts(5)).unwrap();
    let config = crate::config::Config::load(std::path::Path::new("/"), []).unwrap();
    let request = crate::config::Request {
        sinks: Some(vec!["publish".into()]),
        ..Default::default()
    };
    let spec = config.select(&request).unwrap().remove(0);
    journal.register(&spec).unwrap();
    journal.register(&spec).unwrap();
    assert_eq!(journal.sinks().unwrap(), [spec]);

    let pending = Pending {
        seq: 2,
        due: 9.5,
        attempts: 1,
        why: "refused".into(),
        key: Some("t.py::test_2".into()),
    };
    let progress = Progress {
        cursor: 5,
        delivered: 3,
        pending: vec![pending.clone()],
        dead: vec![DeadLetter {
            seq: 4,
            why: "no".into(),
            time: 1.0,
        }],
        state: vec![("k".into(), Some(vec![1])), ("l".into(), Some(vec![2]))],
        ..Progress::default()
    };
    journal.commit("publish", &progress).unwrap();
    let standing = journal.standing("publish").unwrap();
    assert_eq!(
        (standing.cursor, standing.delivered, standing.set_aside),
        (5, 3, 1)
    );
    assert_eq!(standing.pending, [pending]);
    assert_eq!(standing.state.len(), 2);

    let progress = Progress {
        settled: vec![2],
        delivered: 1,
        state: vec![("k".into(), None)],
        error: Some("late".into()),
        ..Progress::default()
    };
    journal.commit("publish", &progress).unwrap();
    let standing = journal.standing("publish").unwrap();
    assert_eq!((standing.cursor, standing.delivered), (5, 4));
    assert!(standing.pending.is_empty());
    assert_eq!(standing.state.keys().collect::<Vec<_>>(), ["l"]);
    assert_eq!(standing.error.as_deref(), Some("late"));
}

#[test]
fn an_event_that_is_missing_is_not_passed_over() {
    let (folder, journal) = journal();
    journal.append(&drafts(3)).unwrap();
    let connection = Connection::open(folder.path().join("journal.db")).unwrap();
    connection
        .execute("DELETE FROM events WHERE seq = 2", [])
        .unwrap();
    let problem = journal.read(0, ALL).unwrap_err().to_string();
    assert_eq!(
        problem,
        "the journal is damaged: events are missing, 2 is the first"
    );
    assert!(matches!(
        journal.pick(&[1, 2], usize::MAX),
        Err(JournalError::Missing(2))
    ));
}

#[test]
fn a_newer_format_is_refused() {
    let (folder, journal) = journal();
    drop(journal);
    let file = folder.path().join("journal.db");
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(
        SqliteJournal::open(&file),
        Err(JournalError::Newer { found: 99, .. })
    ));
}

#[test]
fn one_that_was_removed_goes_on_only_where_it_is_added_back() {
    let (folder, journal) = journal();
    journal.append(&drafts(3)).unwrap();
    let config = crate::config::Config::load(folder.path(), []).unwrap();
    let request = crate::config::Request {
        sinks: Some(vec!["pubdir".into()]),
        ..Default::default()
    };
    let spec = config.select(&request).unwrap().remove(0);
    journal.register(&spec).unwrap();
    let letter = DeadLetter {
        seq: 1,
        why: String::new(),
        time: 0.0,
    };
    let progress = Progress {
        cursor: 2,
        delivered: 1,
        dead: vec![letter],
        ..Progress::default()
    };
    journal.commit("pubdir", &progress).unwrap();
    let removed = Progress {
        removed: true,
        ..Progress::default()
    };
    journal.commit("pubdir", &removed).unwrap();
    let standing = |journal: &SqliteJournal| {
        let known = journal.standing("pubdir").unwrap();
        (known.cursor, known.closed)
    };
    assert_eq!(standing(&journal), (BEYOND, true));
    journal.register(&spec).unwrap();
    assert_eq!(standing(&journal), (2, false));

    // Where its dead letters are delivered later, nothing else is.
    journal.commit("pubdir", &removed).unwrap();
    let pending = Pending {
        seq: 1,
        due: 0.0,
        attempts: 0,
        why: String::new(),
        key: None,
    };
    journal.put_back("pubdir", &[pending]).unwrap();
    journal.register(&spec).unwrap();
    assert_eq!(standing(&journal), (BEYOND, false));
}
