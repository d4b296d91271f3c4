//! A model of the journal, held against it through crashes at any write.
//!
//! A crash is a copy of the files as they are at that moment, as a process that
//! is killed leaves them; or with the end of the log of writes cut off or broken,
//! as a machine that loses power does.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Request};
use crate::guest::bindings::events::Event;
use crate::journal::Draft;

const SINK: &str = "publish";
const ALL: BatchLimit = BatchLimit {
    events: 100_000,
    bytes: 1 << 30,
};

#[derive(Clone, Debug)]
enum Step {
    /// Intake: so many events, read up to the offset that is their number.
    Append(u32),
    /// A call of the sink: it got so many, of which the first waits and the second is dead.
    Commit {
        events: u64,
        waits: bool,
        dies: bool,
    },
    /// All that waits is delivered.
    Settle,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..40).prop_map(Step::Append),
        4 => (0_u64..30, any::<bool>(), any::<bool>())
            .prop_map(|(events, waits, dies)| Step::Commit { events, waits, dies }),
        1 => Just(Step::Settle),
        1 => Just(Step::Close),
    ]
}

#[derive(Clone, Debug)]
enum Loss {
    /// The process was killed.
    Nothing,
    /// The log ends here.
    Cut(prop::sample::Index),
    /// A byte of the log is another one.
    Broken(prop::sample::Index, u8),
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::Nothing),
        any::<prop::sample::Index>().prop_map(Loss::Cut),
        (any::<prop::sample::Index>(), 1_u8..).prop_map(|(at, flip)| Loss::Broken(at, flip)),
    ]
}

/// All that the journal has to say, as of one commit.
#[derive(Clone, Debug, Default, PartialEq)]
struct Contents {
    events: u64,
    offset: u64,
    closed: bool,
    standing: Standing,
}

impl Contents {
    fn of(journal: &SqliteJournal) -> Self {
        let events = journal.read(0, ALL).unwrap();
        let head = journal.head().unwrap();
        // Without holes, which `read` would not pass over.
        assert_eq!(events.len() as u64, head.last);
        for event in &events {
            assert_eq!(event.event, nth(event.seq));
        }
        let positions = journal.positions().unwrap();
        Self {
            events: head.last,
            offset: positions.get("main-1").map_or(0, |known| known.offset),
            closed: head.closed,
            standing: journal.standing(SINK).unwrap(),
        }
    }
}

fn nth(seq: Seq) -> Event {
    Event::Interrupted(format!(
        "{seq} {}",
        "x".repeat(usize::try_from(seq % 300).unwrap())
    ))
}

/// What a step is to change, and changes in the model.
fn take(step: &Step, model: &mut Contents, journal: &SqliteJournal) {
    match *step {
        Step::Append(count) => {
            let first = model.events + 1;
            model.events += u64::from(count);
            model.offset = model.events;
            let draft = |seq| Draft {
                time: 1.0,
                worker: None,
                event: nth(seq),
            };
            let position = Position {
                offset: model.offset,
                ..Position::default()
            };
            let intake = Intake {
                drafts: (first..=model.events).map(draft).collect(),
                positions: [("main-1".to_owned(), position)].into(),
                ..Intake::default()
            };
            journal.append(&intake).unwrap();
        }
        Step::Close => {
            model.closed = true;
            let intake = Intake {
                closed: true,
                ..Intake::default()
            };
            journal.append(&intake).unwrap();
        }
        Step::Commit {
            events,
            waits,
            dies,
        } => {
            let known = &mut model.standing;
            let first = known.cursor + 1;
            let cursor = model.events.min(known.cursor + events);
            let offered = cursor - known.cursor;
            let (waits, dies) = (waits && offered > 0, dies && offered > 1);
            let progress = Progress {
                cursor,
                delivered: offered - u64::from(waits) - u64::from(dies),
                pending: Vec::from_iter(waits.then(|| pending(first))),
                dead: Vec::from_iter(dies.then(|| DeadLetter {
                    seq: first + 1,
                    why: "no".into(),
                    time: 1.0,
                })),
                state: vec![("cursor".into(), Some(cursor.to_le_bytes().to_vec()))],
                ..Progress::default()
            };
            known.cursor = cursor;
            known.delivered += progress.delivered;
            known.set_aside += progress.dead.len() as u64;
            known.pending.extend(progress.pending.clone());
            known.state.extend(
                progress
                    .state
                    .iter()
                    .cloned()
                    .map(|(key, value)| (key, value.unwrap())),
            );
            journal.commit(SINK, &progress).unwrap();
        }
        Step::Settle => {
            let known = &mut model.standing;
            let progress = Progress {
                settled: known.pending.iter().map(|event| event.seq).collect(),
                delivered: known.pending.len() as u64,
                ..Progress::default()
            };
            known.delivered += progress.delivered;
            known.pending.clear();
            journal.commit(SINK, &progress).unwrap();
        }
    }
}

fn pending(seq: Seq) -> Pending {
    Pending {
        seq,
        due: 1.0,
        attempts: 1,
        why: "later".into(),
        key: None,
    }
}

fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open(&folder.join("journal.db")).unwrap()
}

fn log(folder: &Path) -> PathBuf {
    folder.join("journal.db-wal")
}

/// The files as they are now, without what is lost of the log after its first `kept` bytes.
fn crash(from: &Path, loss: &Loss, kept: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        let _ = std::fs::copy(from.join(name), folder.path().join(name));
    }
    let mut bytes = std::fs::read(log(folder.path())).unwrap_or_default();
    let kept = usize::try_from(kept).unwrap().min(bytes.len());
    let young = bytes.len() - kept;
    match loss {
        Loss::Nothing => {}
        Loss::Cut(at) => bytes.truncate(kept + at.index(young + 1)),
        Loss::Broken(at, flip) if young > 0 => bytes[kept + at.index(young)] ^= flip,
        Loss::Broken(..) => {}
    }
    std::fs::write(log(folder.path()), bytes).unwrap();
    folder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is lost, what is left is what was there after one of the commits:
    /// of events a prefix, with positions, cursor, state and all that waits of the same moment.
    #[test]
    fn a_crash_leaves_what_one_of_the_commits_left(
        lives in prop::collection::vec((prop::collection::vec(step(), 1..25), loss()), 1..5)
    ) {
        let mut folder = tempfile::tempdir().unwrap();
        let mut model = Contents::default();
        {
            let config = Config::load(Path::new("/"), []).unwrap();
            let request = Request { sinks: Some(vec![SINK.into()]), ..Request::default() };
            open(folder.path()).register(&config.select(&request).unwrap().remove(0)).unwrap();
        }
        for (steps, loss) in lives {
            let journal = open(folder.path());
            prop_assert_eq!(&Contents::of(&journal), &model);
            // Every state since the machine may last have written all of it to the disk.
            let kept = std::fs::metadata(log(folder.path())).map_or(0, |log| log.len());
            let mut since = vec![model.clone()];
            for step in &steps {
                take(step, &mut model, &journal);
                since.push(model.clone());
            }
            prop_assert_eq!(&Contents::of(&journal), &model);
            let after = crash(folder.path(), &loss, kept);
            drop(journal);
            folder = after;
            let left = Contents::of(&open(folder.path()));
            match loss {
                Loss::Nothing => prop_assert_eq!(&left, &model),
                _ => prop_assert!(since.contains(&left), "{:?} was never there", left),
            }
            model = left;
        }
    }
}
