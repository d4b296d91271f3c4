use super::*;
use crate::config::{Config, Request};
use crate::guest::bindings::events::Event;
use crate::journal::{
    BatchLimit, DeadLetter, Draft, Intake, Item, Items, Journal as _, JournalReader, Pending,
    Position, Progress, SqliteJournal,
};

const ALL: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 1 << 20,
};

/// A journal with something in every table.
fn journal(folder: &std::path::Path) -> std::path::PathBuf {
    let file = folder.join("journal.db");
    let journal = SqliteJournal::open(&file).unwrap();
    let drafts = (1..=9).map(|number| Draft {
        time: f64::from(number),
        worker: Some("gw0".into()),
        event: Event::TestStarted((format!("t.py::test_{number}"), 1)),
    });
    let item = Item {
        nodeid: "t.py::test_1".into(),
        name: "test_1".into(),
        group: None,
    };
    let items = Items {
        collection: "c".into(),
        first: 0,
        items: vec![item],
    };
    let intake = Intake {
        drafts: drafts.collect(),
        items: vec![items],
        positions: [("main-1".to_owned(), Position::default())].into(),
        closed: true,
    };
    journal.append(&intake).unwrap();
    let config = Config::load(folder, []).unwrap();
    let request = Request {
        sinks: Some(vec!["pubdir".into()]),
        ..Request::default()
    };
    journal
        .register(&config.select(&request).unwrap()[0])
        .unwrap();
    let pending = Pending {
        seq: 2,
        due: 0.5,
        attempts: 1,
        why: "late".into(),
        key: Some("t".into()),
    };
    let letter = DeadLetter {
        seq: 3,
        why: "no".into(),
        time: 1.5,
    };
    let progress = Progress {
        cursor: 3,
        delivered: 1,
        pending: vec![pending],
        dead: vec![letter],
        state: [("k".to_owned(), Some(vec![1, 2]))].into(),
        ..Progress::default()
    };
    journal.commit("pubdir", &progress).unwrap();
    journal.note_call("o", 1, "{}").unwrap();
    file
}

#[test]
fn what_was_written_is_found_sound() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path());
    let again = SqliteJournal::open(&file).unwrap();
    assert_eq!(again.read(0, ALL).unwrap().len(), 9);
    let connection = Connection::open(&file).unwrap();
    for (table, _) in TABLES.into_iter().chain([("events", "")]) {
        let summed = format!("SELECT count(*) > 0 AND count(*) = count(sum) FROM {table}");
        let all: bool = connection.query_row(&summed, [], |row| row.get(0)).unwrap();
        assert!(all, "{table}");
    }
}

#[test]
fn a_value_that_is_another_one_is_told() {
    for change in [
        "UPDATE pending SET sink = 'pubdjr'",
        "UPDATE pending SET seq = 4",
        "UPDATE sinks SET cursor = 9",
        "UPDATE sinks SET closed = 1",
        "UPDATE dead_letters SET sink = 'other'",
        "UPDATE state SET value = x'0102ff'",
        "UPDATE processes SET offset = 1",
        "UPDATE items SET nodeid = 't.py::test_2'",
        "UPDATE calls SET call = '[]'",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = journal(folder.path());
        let connection = Connection::open(&file).unwrap();
        assert_eq!(connection.execute(change, []).unwrap(), 1, "{change}");
        let refused = SqliteJournal::open(&file).err().unwrap().to_string();
        let table = change.split(' ').nth(1).unwrap();
        assert_eq!(
            refused,
            format!("the journal is damaged: not all that it says of {table} is what was written"),
            "{change}"
        );
    }
}

/// What comes before it is read.
#[test]
fn an_event_that_is_another_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = journal(folder.path());
    Connection::open(&file)
        .unwrap()
        .execute(
            "UPDATE events SET event = replace(event, 'test_7', 'test_1') WHERE seq = 7",
            [],
        )
        .unwrap();
    let told = "the journal is damaged: event 7 is not what was written";
    let journal = SqliteJournal::open(&file).unwrap();
    let six = BatchLimit { events: 6, ..ALL };
    assert_eq!(journal.read(0, six).unwrap().len(), 6);
    assert_eq!(journal.read(6, ALL).unwrap_err().to_string(), told);
    assert_eq!(journal.pick(&[7], 1).unwrap_err().to_string(), told);
    let reader = JournalReader::open(&file).unwrap().unwrap();
    assert_eq!(reader.read(6, ALL).unwrap_err().to_string(), told);
    assert_eq!(reader.outline(|_| {}).unwrap_err().to_string(), told);
}
