//! A sink between a host that offers events again and a receiver that refuses messages.
//!
//! The host's rules are those of the contract: an event that waits holds up the later ones of its test and worker, and
//! the end of the session comes by itself, when nothing else waits.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What happens at one step.
#[derive(Clone, Debug)]
enum Step {
    /// The host offers what waits, if any does and the flag is set, else so many new events.
    Offer {
        waiting: bool,
        new: usize,
    },
    /// As `Offer`, and the sink dies before its answer is known.
    Die {
        new: usize,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<bool>(), 1..12_usize).prop_map(|(waiting, new)| Step::Offer { waiting, new }),
        1 => (1..12_usize).prop_map(|new| Step::Die { new }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..40)
}

/// Statuses that the first requests are answered with; all others are taken.
fn answers() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(
        prop_oneof![3 => Just(200), 3 => Just(503), 1 => Just(429)],
        0..80,
    )
}

/// Two workers' tests side by side, and collectors that failed before, between and after.
fn story() -> Vec<Envelope> {
    let setup = Report {
        sections: stdout("setup "),
        ..report("b", Phase::Setup, Outcome::Passed)
    };
    let rerun = report("d", Phase::Call, Outcome::Rerun);
    let collecting = [
        vec![collect_failed("x.py")],
        collected(&["a", "b"]).drain(..1).collect(),
        vec![collect_failed("y.py")],
        collected(&["c", "d", "e"]),
    ];
    let one = [
        passed("a"),
        whole("c", vec![failed("c", Phase::Setup)]),
        vec![started("e"), finished("e", Verdict::Crashed)],
    ];
    let reports = vec![
        setup,
        failed("b", Phase::Call),
        failed("b", Phase::Teardown),
    ];
    let other = [
        whole("b", reports),
        whole("d", vec![rerun]),
        vec![collect_failed("z.py")],
        passed("d"),
    ];
    let (mut one, mut other) = (one.concat().into_iter(), other.concat().into_iter());
    let mut events = collecting.concat();
    while one.len() + other.len() > 0 {
        events.extend(one.next().into_iter().chain(other.next()));
    }
    events.push(over());
    numbered(events)
}

/// The host's side.
struct Journal {
    events: Vec<Envelope>,
    cursor: usize,
    waiting: BTreeMap<u64, Envelope>,
}

impl Journal {
    fn key(event: &Envelope) -> Option<&str> {
        match &event.event {
            Event::CollectFailed(_) => None,
            event => event.nodeid(),
        }
    }

    /// What waits: the first event of each test.
    fn due(&self) -> Vec<Envelope> {
        let mut tests = BTreeSet::new();
        let first =
            |event: &&Envelope| Self::key(event).is_none_or(|key| tests.insert(key.to_owned()));
        self.waiting.values().filter(first).cloned().collect()
    }

    /// What is new, without what waits behind something else; that, and where the cursor goes.
    fn unread(&self, count: usize) -> (Vec<Envelope>, Vec<Envelope>, usize) {
        let blocked: BTreeSet<_> = self.waiting.values().filter_map(Self::key).collect();
        let (mut offered, mut parked, mut cursor) = (vec![], vec![], self.cursor);
        for event in self.events.iter().skip(self.cursor).take(count) {
            let is_end = matches!(event.event, Event::SessionFinished(_));
            if is_end && !(self.waiting.is_empty() && offered.is_empty()) {
                break;
            }
            cursor += 1;
            match Self::key(event) {
                Some(key) if blocked.contains(key) => parked.push(event.clone()),
                _ => offered.push(event.clone()),
            }
        }
        (offered, parked, cursor)
    }

    fn is_over(&self) -> bool {
        self.cursor == self.events.len() && self.waiting.is_empty()
    }
}

/// Plays the story to its end and says what the receiver took, first times only.
fn play(steps: Vec<Step>, answers: Vec<u16>) -> Vec<(String, String)> {
    let mut journal = Journal {
        events: story(),
        cursor: 0,
        waiting: BTreeMap::new(),
    };
    let state = Shared::default();
    let (mut sink, receiver) = run_with(json!({"concurrency": 4}), &state, Opening::Fresh);
    let mut answers = answers.into_iter();
    receiver.answer(move |_| answers.next().filter(|answer| *answer != 200).map(status));
    let calm = std::iter::repeat_n([true, false], 200).flatten();
    let calm = calm.map(|waiting| Step::Offer { waiting, new: 5 });
    for step in steps.into_iter().chain(calm) {
        if journal.is_over() {
            break;
        }
        let restart = || {
            let settings = settings(json!({"concurrency": 4}));
            Run::new(
                &settings,
                session(),
                Opening::Restarted,
                state.clone(),
                receiver.clone(),
            )
        };
        let (offered, parked, cursor) = match &step {
            Step::Restart => {
                sink = restart();
                continue;
            }
            Step::Offer { waiting: true, .. } if !journal.waiting.is_empty() => {
                (journal.due(), vec![], journal.cursor)
            }
            Step::Offer { new, .. } | Step::Die { new } => journal.unread(*new),
        };
        let before = state.0.borrow().clone();
        let undone = sink.handle(offered.clone());
        if let Step::Die { .. } = step {
            *state.0.borrow_mut() = before;
            sink = restart();
            continue;
        }
        journal.cursor = cursor;
        for event in &offered {
            journal.waiting.remove(&event.seq);
        }
        let left = again(&offered, &undone).into_iter().chain(parked);
        journal.waiting.extend(left.map(|event| (event.seq, event)));
    }
    assert!(journal.is_over(), "it never ends");
    let mut keys = BTreeSet::new();
    let inside = receiver.0.borrow();
    let first = inside
        .taken
        .iter()
        .filter(|taken| keys.insert(taken.key.clone()));
    first
        .map(|taken| (taken.what.clone(), taken.key.clone()))
        .collect()
}

/// What a test's messages are, in order.
fn of<'a>(nodeid: &str, taken: &'a [(String, String)]) -> Vec<&'a (String, String)> {
    let end = format!(" {nodeid}");
    taken
        .iter()
        .filter(|(what, _)| what.ends_with(&end))
        .collect()
}

#[test]
fn the_story_has_every_kind_of_message() {
    let taken = play(vec![], vec![]);
    let kinds: BTreeSet<_> = taken
        .iter()
        .filter_map(|(what, _)| what.split(' ').next())
        .collect();
    assert_eq!(kinds.len(), 5);
    assert_eq!(taken.len(), 18, "{taken:?}");
    assert_eq!(of("b", &taken).len(), 3);
    assert_eq!(of("d", &taken).len(), 3);
}

proptest! {
    #[test]
    fn all_arrives_in_order_whatever_happens(steps in steps(), answers in answers()) {
        let calm = play(vec![], vec![]);
        let taken = play(steps, answers);
        prop_assert_eq!(&taken[0].0, "startTestRun");
        prop_assert_eq!(&taken[taken.len() - 1].0, "stopTestRun");
        let set = |taken: &[(String, String)]| taken.iter().cloned().collect::<BTreeSet<_>>();
        prop_assert_eq!(set(&taken), set(&calm));
        for nodeid in ["a", "b", "c", "d", "e"] {
            prop_assert_eq!(of(nodeid, &taken), of(nodeid, &calm));
        }
        let place = |what: &str| taken.iter().position(|(taken, _)| taken == what);
        // Those that were kept come before any test.
        let first_item = taken.iter().position(|(what, _)| what.starts_with("startTestItem"));
        prop_assert!(place("stopTest x.py") < first_item && place("stopTest y.py") < first_item);
    }
}
