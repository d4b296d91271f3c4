use super::*;
use crate::{Event, samples};

/// A test's first event leaves nothing, and each later one as many items as the attempt says.
struct Counted {
    session: Session,
    done: Vec<u64>,
}

impl Source for Counted {
    type Item = String;

    fn lane(&self, envelope: &Envelope) -> Option<Lane> {
        let nodeid = envelope.event.nodeid()?;
        Some(Lane::new(&self.session, envelope, nodeid))
    }

    fn items(&self, envelope: &Envelope, lane: &Lane) -> Vec<String> {
        let Event::TestStarted((_, count)) = envelope.event else {
            panic!("no test's event");
        };
        (1..=count)
            .map(|number| format!("{}{number}", lane.nodeid))
            .collect()
    }

    fn done(&mut self, envelope: &Envelope, _lane: &Lane) {
        self.done.push(envelope.seq);
    }
}

fn source(dist: Option<&str>) -> Counted {
    let session = Session {
        dist: dist.map(str::to_owned),
        ..samples::session()
    };
    Counted {
        session,
        done: vec![],
    }
}

fn event(seq: u64, nodeid: &str, items: u32) -> Envelope {
    samples::envelope(seq, Event::TestStarted((nodeid.to_owned(), items)))
}

/// Three tests with four events each, of which the second and the third leave something.
fn three() -> Vec<Envelope> {
    let mut batch = vec![];
    for nodeid in ["a", "b", "c"] {
        for items in [0, 1, 1, 0] {
            batch.push(event(batch.len() as u64, nodeid, items));
        }
    }
    batch
}

type Rounds = Vec<Vec<u64>>;

/// Delivers and says which events were tried together, and which came back.
fn rounds(
    batch: Vec<Envelope>,
    limit: usize,
    stop: bool,
    mut refuse: impl FnMut(u64) -> Option<Refusal>,
) -> (Rounds, Vec<Undone>) {
    let mut rounds = vec![];
    let mut undone = deliver(&mut source(None), batch, limit, |parcels| {
        let seqs: Vec<_> = parcels.iter().map(|parcel| parcel.seq).collect();
        let refusals = seqs.iter().map(|seq| refuse(*seq)).collect();
        rounds.push(seqs);
        if stop {
            Tried::Stop(refusals)
        } else {
            Tried::Each(refusals)
        }
    });
    undone.sort_by_key(|undone| undone.seq);
    (rounds, undone)
}

fn retry() -> Refusal {
    Refusal::Retry((2.0, "busy".into()))
}

fn reject() -> Refusal {
    Refusal::Reject("no".into())
}

fn seqs(undone: &[Undone]) -> Vec<u64> {
    undone.iter().map(|undone| undone.seq).collect()
}

#[test]
fn items_of_one_test_are_never_tried_together() {
    let (rounds, undone) = rounds(three(), 32, false, |_| None);
    assert_eq!(rounds, [[1, 5, 9], [2, 6, 10]]);
    assert_eq!(undone, []);
}

#[test]
fn one_at_a_time_they_come_in_order() {
    let (rounds, _) = rounds(three(), 1, false, |_| None);
    assert_eq!(rounds, [[1], [2], [5], [6], [9], [10]]);
}

#[test]
fn no_more_are_tried_together_than_allowed() {
    let (rounds, _) = rounds(three(), 2, false, |_| None);
    assert_eq!(rounds, [vec![1, 5], vec![2, 6], vec![9], vec![10]]);
}

#[test]
fn what_follows_a_failure_of_its_test_waits() {
    let (rounds, undone) = rounds(three(), 32, false, |seq| (seq == 5).then(retry));
    assert_eq!(rounds, [vec![1, 5, 9], vec![2, 10]]);
    assert_eq!(seqs(&undone), [5, 6, 7]);
    assert!(undone.iter().all(|undone| undone.why == retry()));
}

#[test]
fn what_follows_a_rejected_item_goes_on() {
    let (rounds, undone) = rounds(three(), 32, false, |seq| (seq == 5).then(reject));
    assert_eq!(rounds, [[1, 5, 9], [2, 6, 10]]);
    let why = reject();
    assert_eq!(undone, [Undone { seq: 5, why }]);
}

#[test]
fn nothing_is_tried_after_a_stop() {
    let (rounds, undone) = rounds(three(), 2, true, |_| Some(retry()));
    assert_eq!(rounds, [[1, 5]]);
    // The third test's first event was not looked at: all of it comes again.
    assert_eq!(seqs(&undone), [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
    assert!(undone.iter().all(|undone| undone.why == retry()));
}

#[test]
fn an_event_is_done_once_all_of_its_items_are() {
    let mut source = source(None);
    let batch = || vec![event(1, "a", 3), event(2, "a", 1)];
    let mut tried = vec![];
    let undone = deliver(&mut source, batch(), 8, |parcels| {
        let [parcel] = parcels else {
            panic!("together")
        };
        tried.push((parcel.seq, parcel.part, parcel.item.clone()));
        Tried::Each(vec![(parcel.part == 2).then(retry)])
    });
    assert_eq!(tried, [(1, 1, "a1".to_owned()), (1, 2, "a2".to_owned())]);
    assert_eq!(seqs(&undone), [1, 2]);
    assert!(source.done.is_empty());

    // All of it comes again, with the same parts.
    tried.clear();
    let undone = deliver(&mut source, batch(), 8, |parcels| {
        let all = parcels.iter();
        tried.extend(all.map(|parcel| (parcel.seq, parcel.part, parcel.item.clone())));
        Tried::Each(vec![None])
    });
    let parts: Vec<_> = tried.iter().map(|(seq, part, _)| (*seq, *part)).collect();
    assert_eq!(parts, [(1, 1), (1, 2), (1, 3), (2, 1)]);
    assert_eq!((undone, source.done), (vec![], vec![1, 2]));
}

#[test]
fn an_event_is_rejected_for_the_first_item_that_was() {
    let mut parts = vec![];
    let undone = deliver(
        &mut source(None),
        vec![event(1, "a", 3), event(2, "a", 1)],
        8,
        |parcels| {
            let [parcel] = parcels else {
                panic!("together")
            };
            parts.push((parcel.seq, parcel.part));
            let rejected = parcel.seq == 1 && parcel.part < 3;
            Tried::Each(vec![rejected.then(|| Refusal::Reject(parcel.item.clone()))])
        },
    );
    assert_eq!(parts, [(1, 1), (1, 2), (1, 3), (2, 1)]);
    let why = Refusal::Reject("a1".into());
    assert_eq!(undone, [Undone { seq: 1, why }]);
}

#[test]
fn workers_are_apart_where_each_runs_every_test() {
    let tried = |dist| {
        let batch = ["gw0", "gw1"]
            .into_iter()
            .zip(1..)
            .map(|(worker, seq)| Envelope {
                worker: Some(worker.to_owned()),
                ..event(seq, "a", 1)
            });
        let mut rounds = vec![];
        deliver(&mut source(Some(dist)), batch.collect(), 32, |parcels| {
            rounds.push(parcels.len());
            Tried::Each(vec![None; parcels.len()])
        });
        rounds
    };
    assert_eq!(tried("each"), [2]);
    assert_eq!(tried("load"), [1, 1]);
}

#[test]
fn events_without_a_lane_are_done() {
    let event = Envelope {
        event: Event::Interrupted("^C".into()),
        ..event(1, "", 0)
    };
    assert_eq!(rounds(vec![event], 8, false, |_| None), (vec![], vec![]));
}
