use super::*;
use crate::guest::bindings::events::SessionEnd;
use crate::journal::{Draft, Intake, SqliteJournal};

struct Desk {
    _folder: tempfile::TempDir,
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
            _folder: folder,
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
    let first = Outbox::only(&batch, 0).unwrap();
    assert_eq!(desk.outbox.settle(&first, Vec::new(), 0.0).cursor, 1);
    let last = Outbox::only(&batch, 1).unwrap();
    assert_eq!(desk.outbox.settle(&last, Vec::new(), 0.0).cursor, 2);
    assert!(Outbox::only(&batch, 2).is_none());
}

#[test]
fn waits_grow_are_bounded_and_honour_what_is_asked() {
    for _ in 0..100 {
        assert!((0.25..=0.32).contains(&wait(1, 0.0)));
        assert!((0.5..=0.63).contains(&wait(2, 0.0)));
        assert!((30.0..=37.6).contains(&wait(60, f64::NAN)));
        assert!(wait(1, 120.0) >= 120.0);
    }
}
