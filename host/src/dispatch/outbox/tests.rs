use super::*;
use crate::config::{Config, Request};
use crate::dispatch::put_back;
use crate::guest::bindings::events::{SessionEnd, Warning};
use crate::journal::{Draft, Intake, SqliteJournal};

struct Desk {
    folder: tempfile::TempDir,
    journal: SqliteJournal,
    outbox: Outbox,
}

impl Desk {
    /// A journal with one started event a name, and an empty outbox.
    fn new(tests: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&folder.path().join("journal.db")).unwrap();
        let drafts = tests
            .iter()
            .map(|test| Draft {
                time: 0.0,
                worker: None,
                event: Event::TestStarted(((*test).to_owned(), 1)),
            })
            .collect();
        journal
            .append(&Intake {
                drafts,
                ..Intake::default()
            })
            .unwrap();
        Self {
            folder,
            journal,
            outbox: Outbox::default(),
        }
    }

    /// Offers what is next at `now` and refuses `refused`; answers with what was offered.
    fn step(&mut self, now: f64, refused: &[(Seq, Refusal)]) -> Vec<Seq> {
        let batch = self.outbox.next(&self.journal, now).unwrap();
        let undone = refused
            .iter()
            .map(|(seq, why)| Undone {
                seq: *seq,
                why: why.clone(),
            })
            .collect();
        let progress = self.outbox.settle(&batch, undone, now);
        self.outbox.committed(&progress);
        batch.events.iter().map(|event| event.seq).collect()
    }
}

fn retry() -> Refusal {
    Refusal::Retry((1.0, "busy".into()))
}

#[test]
fn everything_is_offered_once_where_nothing_is_refused() {
    let mut desk = Desk::new(&["a", "b", "a"]);
    assert_eq!(desk.step(0.0, &[]), [1, 2, 3]);
    assert!(desk.step(0.0, &[]).is_empty());
    assert_eq!(desk.outbox.cursor(), 3);
}

#[test]
fn other_tests_go_on_while_one_waits() {
    let mut desk = Desk::new(&["a", "b"]);
    assert_eq!(desk.step(0.0, &[(1, retry())]), [1, 2]);
    let more = ["a", "b", "a"].map(|test| Draft {
        time: 0.0,
        worker: None,
        event: Event::TestStarted((test.to_owned(), 1)),
    });
    desk.journal
        .append(&Intake {
            drafts: more.to_vec(),
            ..Intake::default()
        })
        .unwrap();
    assert_eq!(desk.step(0.5, &[]), [4]);
    assert_eq!(desk.outbox.waiting(), 3);
    // Not before it is due, and then one of the test at a time.
    assert!(desk.step(0.9, &[]).is_empty());
    assert_eq!(desk.step(10.0, &[]), [1]);
    assert_eq!(desk.step(10.0, &[]), [3]);
    assert_eq!(desk.step(10.0, &[]), [5]);
    assert_eq!(desk.outbox.waiting(), 0);
}

#[test]
fn a_warning_in_a_test_waits_behind_it() {
    let mut desk = Desk::new(&["a"]);
    assert_eq!(desk.step(0.0, &[(1, retry())]), [1]);
    let warnings = [Some("a"), None].map(|nodeid| Draft {
        time: 0.0,
        worker: None,
        event: Event::Warning(Warning {
            category: "UserWarning".into(),
            message: "careful".into(),
            path: "a.py".into(),
            line: 1,
            stage: "runtest".into(),
            nodeid: nodeid.map(str::to_owned),
            code: None,
        }),
    });
    desk.journal
        .append(&Intake {
            drafts: warnings.to_vec(),
            ..Intake::default()
        })
        .unwrap();
    assert_eq!(desk.step(0.5, &[]), [3]);
    assert_eq!(desk.step(10.0, &[]), [1]);
    assert_eq!(desk.step(10.0, &[]), [2]);
}

#[test]
fn the_end_comes_by_itself_when_nothing_waits() {
    let mut desk = Desk::new(&["a", "b"]);
    let drafts = [
        Event::TestStarted(("a".to_owned(), 1)),
        Event::SessionFinished(SessionEnd {
            exitstatus: Some(0),
            reason: None,
        }),
    ]
    .map(|event| Draft {
        time: 0.0,
        worker: None,
        event,
    });
    let intake = Intake {
        drafts: drafts.to_vec(),
        closed: true,
        ..Intake::default()
    };
    assert_eq!(desk.journal.append(&intake).unwrap().last, 4);
    assert_eq!(desk.step(0.0, &[(1, retry())]), [1, 2, 3]);
    assert!(desk.step(0.5, &[]).is_empty());
    assert_eq!(desk.outbox.cursor(), 3);
    assert_eq!(desk.step(10.0, &[(1, retry())]), [1]);
    assert!(desk.step(10.5, &[]).is_empty());
    assert_eq!(desk.step(60.0, &[]), [1]);
    // Put off for its own sake.
    assert_eq!(desk.step(60.0, &[(4, retry())]), [4]);
    assert_eq!(desk.step(90.0, &[]), [4]);
    assert_eq!((desk.outbox.cursor(), desk.outbox.waiting()), (4, 0));
}

/// As after dead letters were put back, the session's end among them.
#[test]
fn the_end_waits_for_what_was_put_back() {
    let mut desk = Desk::new(&["a", "a", "b"]);
    let end = Event::SessionFinished(SessionEnd {
        exitstatus: Some(0),
        reason: None,
    });
    desk.journal
        .append(&Intake {
            drafts: vec![Draft {
                time: 0.0,
                worker: None,
                event: end,
            }],
            closed: true,
            ..Intake::default()
        })
        .unwrap();
    let config = Config::load(desk.folder.path(), []).unwrap();
    let request = Request {
        sinks: Some(vec!["pubdir".into()]),
        ..Request::default()
    };
    for spec in config.select(&request).unwrap() {
        desk.journal.register(&spec).unwrap();
    }
    let mut taken = 0;
    while taken < 4 {
        let batch = desk.outbox.next(&desk.journal, 0.0).unwrap();
        taken += batch.events.len();
        let undone = batch.events.iter().map(|event| Undone {
            seq: event.seq,
            why: Refusal::Reject("no".to_owned()),
        });
        let mut progress = desk.outbox.settle(&batch, undone.collect(), 0.0);
        progress.closed = taken == 4;
        desk.journal.commit("pubdir", &progress).unwrap();
        desk.outbox.committed(&progress);
    }
    assert_eq!(desk.journal.standing("pubdir").unwrap().set_aside, 4);

    assert_eq!(put_back(&desk.journal, "pubdir").unwrap(), 4);
    let standing = desk.journal.standing("pubdir").unwrap();
    assert_eq!((standing.set_aside, standing.closed), (0, false));
    let later = crate::clock::now() + 1.0;
    desk.outbox = Outbox::new(standing.cursor, standing.pending);
    assert_eq!(desk.step(later, &[(1, retry())]), [1, 3]);
    assert!(desk.step(later, &[]).is_empty());
    assert!(desk.outbox.next_due().unwrap() > later, "not the end's");
    assert_eq!(desk.step(later + 60.0, &[]), [1]);
    assert_eq!(desk.step(later + 60.0, &[]), [2]);
    assert_eq!(desk.step(later + 60.0, &[]), [4]);
    assert_eq!(desk.outbox.waiting(), 0);
}

#[test]
fn what_is_tried_again_is_no_larger_than_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&folder.path().join("journal.db")).unwrap();
    let long = "x".repeat(BATCH.bytes / 2);
    let drafts = ["a", "b", "c"].map(|test| Draft {
        time: 0.0,
        worker: None,
        event: Event::TestStarted((format!("{test}{long}"), 1)),
    });
    let intake = Intake {
        drafts: drafts.to_vec(),
        ..Intake::default()
    };
    journal.append(&intake).unwrap();
    let waiting = (1..=3).map(|seq| Pending {
        seq,
        due: 0.0,
        attempts: 1,
        why: String::new(),
        key: Some(format!(" {seq}")),
    });
    let outbox = Outbox::new(3, waiting.collect());
    let offered = outbox.next(&journal, 1.0).unwrap().events;
    assert_eq!(offered.iter().map(|e| e.seq).collect::<Vec<_>>(), [1]);
}

#[test]
fn one_at_a_time_a_test_stays_in_order_too() {
    let mut desk = Desk::new(&["a", "a", "b", "a"]);
    let batch = desk.outbox.next(&desk.journal, 0.0).unwrap();
    let mut offered = Vec::new();
    for index in 0..batch.events.len() {
        let single = desk.outbox.only(&batch, index).unwrap();
        offered.extend(single.events.iter().map(|event| event.seq));
        let undone = single.events.iter().filter(|event| event.seq == 1);
        let undone = undone.map(|event| Undone {
            seq: event.seq,
            why: retry(),
        });
        let progress = desk.outbox.settle(&single, undone.collect(), 0.0);
        desk.outbox.committed(&progress);
    }
    assert_eq!(
        offered,
        [1, 3],
        "the other events of a wait behind its first"
    );
    assert_eq!((desk.outbox.cursor(), desk.outbox.waiting()), (4, 3));
    assert_eq!(desk.step(10.0, &[]), [1]);
    assert_eq!(desk.step(10.0, &[]), [2]);
    assert_eq!(desk.step(10.0, &[]), [4]);
}

#[test]
fn what_can_never_be_handled_is_set_aside() {
    let desk = Desk::new(&["a"]);
    let batch = desk.outbox.next(&desk.journal, 0.0).unwrap();
    let undone = vec![Undone {
        seq: 1,
        why: Refusal::Reject("no\nway".into()),
    }];
    let progress = desk.outbox.settle(&batch, undone, 5.0);
    assert_eq!(
        progress.dead,
        [DeadLetter {
            seq: 1,
            why: "no way".into(),
            time: 5.0
        }]
    );
    assert_eq!((progress.delivered, progress.cursor), (0, 1));
}

#[test]
fn one_event_at_a_time_moves_the_cursor_one_by_one() {
    let desk = Desk::new(&["a", "b"]);
    let batch = desk.outbox.next(&desk.journal, 0.0).unwrap();
    let first = desk.outbox.only(&batch, 0).unwrap();
    assert_eq!(desk.outbox.settle(&first, Vec::new(), 0.0).cursor, 1);
    let last = desk.outbox.only(&batch, 1).unwrap();
    assert_eq!(desk.outbox.settle(&last, Vec::new(), 0.0).cursor, 2);
    assert!(desk.outbox.only(&batch, 2).is_none());
}

#[test]
fn waits_grow_are_bounded_and_honour_what_is_asked() {
    for _ in 0..100 {
        assert!((0.25..=0.32).contains(&wait(1, 0.0)));
        assert!((0.5..=0.63).contains(&wait(2, 0.0)));
        assert!((30.0..=37.6).contains(&wait(60, f64::NAN)));
        assert!(wait(1, 120.0) >= 120.0);
        assert!((0.25..=0.32).contains(&wait(1, -1e300)));
        for never in [f64::INFINITY, 1e300] {
            assert!((86_400.0..86_401.0).contains(&wait(1, never)));
        }
    }
}
