use proptest::prelude::*;

use super::*;
use crate::guest::bindings::events::{
    Capture, Event, Failure, Outcome, Phase, Report, Section, SessionEnd,
};
use crate::journal::Draft;

/// Small, so that events leave the memory again.
const SMALL: BatchLimit = BatchLimit {
    events: 20,
    bytes: 6000,
};

fn seconds() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.0..2e9,
        any::<f64>().prop_filter("as JSON has", |f| f.is_finite())
    ]
}

fn report() -> impl Strategy<Value = Event> {
    let text = ".{0,400}";
    let times = (seconds(), seconds(), seconds());
    let failure = proptest::option::of((text, proptest::collection::vec(".{0,40}", 0..3)));
    (text, times, failure, proptest::option::of(text)).prop_map(
        |(text, (start, stop, duration), failure, group)| {
            Event::PhaseFinished(Report {
                nodeid: text.clone(),
                name: String::new(),
                group,
                attempt: 1,
                phase: Phase::Call,
                outcome: Outcome::Other(text.clone()),
                xfail_reason: None,
                start,
                stop,
                duration,
                failure: failure.map(|(message, traceback)| Failure {
                    kind: "E".into(),
                    message,
                    traceback,
                    longrepr: text.clone(),
                }),
                sections: vec![Section {
                    capture: Capture::Other(text.clone()),
                    title: "t".into(),
                    content: text,
                    original_size: Some(u64::MAX),
                }],
                properties: vec![("k".into(), "[1.0]".into())],
                subtest: None,
            })
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        report(),
        (".{0,30}", any::<u32>()).prop_map(Event::TestStarted),
        any::<Option<i32>>().prop_map(|exitstatus| Event::SessionFinished(SessionEnd {
            exitstatus,
            reason: None,
        })),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Draft>),
    /// From a part of what there is, in thousandths.
    Read(u64, BatchLimit),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let draft =
        (seconds(), proptest::option::of("gw[0-9]"), event()).prop_map(|(time, worker, event)| {
            Draft {
                time,
                worker,
                event,
            }
        });
    let limit =
        (1_usize..30, 0_usize..5000).prop_map(|(events, bytes)| BatchLimit { events, bytes });
    prop_oneof![
        3 => proptest::collection::vec(draft, 0..8).prop_map(Step::Append),
        6 => (0_u64..1100, limit).prop_map(|(part, limit)| Step::Read(part, limit)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is read, and whenever, is what the file has.
    #[test]
    fn memory_and_file_say_the_same(steps in proptest::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let open = || Tail::keeping(SMALL, SqliteJournal::open(&file).unwrap(), u64::MAX).unwrap();
        let plain = SqliteJournal::open(&file).unwrap();
        let mut tail = open();
        for step in steps {
            match step {
                Step::Append(drafts) => {
                    let intake = Intake { drafts, ..Intake::default() };
                    let head = tail.append(&intake).unwrap();
                    prop_assert_eq!(head, plain.head().unwrap());
                }
                Step::Read(part, limit) => {
                    let last = plain.head().unwrap().last;
                    let cursor = last * part / 1000;
                    let found = tail.read(cursor, limit).unwrap();
                    prop_assert_eq!(found, plain.read(cursor, limit).unwrap());
                }
                Step::Reopen => tail = open(),
            }
            let newest = tail.newest();
            prop_assert!(newest.entries.len() <= SMALL.events);
            prop_assert!(newest.bytes <= SMALL.bytes);
            let bytes: usize = newest.entries.iter().map(|entry| entry.bytes).sum();
            prop_assert_eq!(newest.bytes, bytes);
        }
    }
}

#[test]
fn what_is_new_is_read_from_memory_and_what_is_old_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let tail = Tail::keeping(SMALL, SqliteJournal::open(&file).unwrap(), u64::MAX).unwrap();
    let draft = |number: u32| Draft {
        time: 0.0,
        worker: None,
        event: Event::TestStarted((format!("test_{number}"), 1)),
    };
    let intake = Intake {
        drafts: (1..=50).map(draft).collect(),
        ..Intake::default()
    };
    tail.append(&intake).unwrap();
    let newest = tail.newest();
    assert!(newest.read(29, SMALL).is_none());
    let seqs: Vec<Seq> = newest
        .read(30, SMALL)
        .unwrap()
        .iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(seqs, (31..=50).collect::<Vec<_>>());
    assert!(newest.read(50, SMALL).unwrap().is_empty());
}

#[test]
fn a_full_journal_counts_what_it_does_not_keep() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let tail = Tail::new(SqliteJournal::open(&file).unwrap(), 1 << 20).unwrap();
    let draft = |event| Draft {
        time: 0.0,
        worker: None,
        event,
    };
    let test = |number: u32| draft(Event::TestStarted(("x".repeat(10_000), number)));
    let end = draft(Event::SessionFinished(SessionEnd {
        exitstatus: Some(0),
        reason: None,
    }));
    let append = |drafts: Vec<Draft>| {
        tail.append(&Intake {
            drafts,
            ..Intake::default()
        })
        .unwrap()
    };
    assert_eq!(append((0..200).map(test).collect()).lost, 0);
    let size = tail.stored.size().unwrap();
    assert!(size > 1 << 20);
    for _ in 0..10 {
        append((0..200).map(test).collect());
    }
    let head = append(vec![test(0), end.clone(), test(1), test(2)]);
    assert_eq!((head.last, head.lost), (200 + 10 + 3, 2003));
    assert_eq!(tail.head().unwrap(), head);
    assert!(tail.stored.size().unwrap() < size + (64 << 10));
    let all = BatchLimit {
        events: 100,
        bytes: 1 << 20,
    };
    let last = tail.read(head.last - 3, all).unwrap();
    let counts: Vec<u64> = last
        .iter()
        .map(|event| match &event.event {
            Event::Gap(gap) => gap.count,
            _ => 0,
        })
        .collect();
    assert_eq!(counts, [1, 0, 2]);
    assert_eq!(last[1].event, end.event);
}
