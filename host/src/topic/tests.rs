use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::sync::Notify;

use super::{Behind, Limits, Refused, RingLimits, Source, Start, Subscription, Topics};

fn limits(messages: usize, bytes: usize) -> Limits {
    Limits {
        ring: RingLimits { messages, bytes },
        ..Limits::default()
    }
}

fn source(sink: &str) -> Source {
    Source {
        sink: sink.into(),
        run: "run".into(),
    }
}

fn subscribe(topics: &Topics, start: Start) -> Subscription {
    topics.subscribe("t", start, Arc::default()).unwrap()
}

fn seqs(subscription: &mut Subscription) -> Vec<u64> {
    let taken = subscription.take(usize::MAX).unwrap();
    taken.iter().map(|message| message.seq).collect()
}

#[test]
fn from_where_it_was_asked_for() {
    let topics = Topics::new(limits(3, usize::MAX));
    for n in 1..=5 {
        assert_eq!(topics.publish("t", None, format!("{n}")), Ok(n));
    }
    let cases = [
        (Start::Now, vec![], 0),
        (Start::From(0), vec![3, 4, 5], 2),
        (Start::From(1), vec![3, 4, 5], 2),
        (Start::From(3), vec![3, 4, 5], 0),
        (Start::From(5), vec![5], 0),
        (Start::From(6), vec![], 0),
        (Start::From(8), vec![3, 4, 5], 2),
    ];
    for (start, expected, missed) in cases {
        let mut subscription = subscribe(&topics, start);
        assert_eq!(subscription.missed(), missed, "{start:?}");
        assert_eq!(seqs(&mut subscription), expected, "{start:?}");
    }
}

#[test]
fn another_epoch_where_numbers_begin_again() {
    let topics = Topics::new(Limits::default());
    topics.publish("t", None, "x").unwrap();
    let epoch = subscribe(&topics, Start::Now).epoch().clone();
    let kept = subscribe(&topics, Start::Now);
    topics.forget("t");
    assert_eq!(*subscribe(&topics, Start::Now).epoch(), epoch, "in use");
    drop(kept);
    topics.forget("t");
    assert_eq!(topics.publish("t", None, "x"), Ok(1));
    assert_ne!(*subscribe(&topics, Start::Now).epoch(), epoch);
}

#[test]
fn idle_topics_are_dropped() {
    let topics = Topics::new(Limits {
        idle: Duration::from_millis(20),
        ..Limits::default()
    });
    topics.publish("idle", None, "x").unwrap();
    let heard = topics.subscribe("t", Start::Now, Arc::default()).unwrap();
    std::thread::sleep(Duration::from_millis(40));
    topics.publish("other", None, "x").unwrap();
    assert_eq!(topics.publish("idle", None, "x"), Ok(1), "it began again");
    assert_eq!(topics.publish("t", None, "x"), Ok(1));
    assert_eq!(heard.next_seq(), 1);
}

#[test]
fn a_topic_that_nothing_came_of_goes_with_its_subscriber() {
    let topics = Topics::new(Limits {
        topics: 1,
        ..Limits::default()
    });
    drop(topics.subscribe("a", Start::Now, Arc::default()).unwrap());
    let second = topics.subscribe("b", Start::Now, Arc::default());
    assert!(second.is_ok());
    let third = topics.subscribe("c", Start::Now, Arc::default());
    assert_eq!(third.unwrap_err(), Refused::Topics(1));
}

#[test]
fn a_sink_has_so_many_topics() {
    let topics = Topics::new(Limits {
        of_sink: 2,
        ..Limits::default()
    });
    let (mine, other) = (source("mine"), source("other"));
    // Somebody waited for it before the sink came.
    let _waiting = topics.subscribe("a", Start::Now, Arc::default()).unwrap();
    for (name, result) in [
        ("a", Ok(1)),
        ("b", Ok(1)),
        ("c", Err(Refused::OfSink(2))),
        ("a", Ok(2)),
    ] {
        assert_eq!(topics.publish(name, Some(&mine), "x"), result, "{name}");
    }
    assert_eq!(topics.publish("c", Some(&other), "x"), Ok(1));
    assert_eq!(topics.of_guests().len(), 3);
}

#[test]
fn all_topics_together_stay_within_a_limit() {
    let topics = Topics::new(Limits {
        bytes: 100_000,
        ..Limits::default()
    });
    for _ in 0..20 {
        for name in ["a", "b", "c"] {
            topics.publish(name, None, "x".repeat(5000)).unwrap();
        }
        assert!(topics.bytes() <= 100_000);
    }
    assert!(topics.bytes() > 50_000);
}

#[tokio::test]
async fn who_waits_is_woken_and_one_bell_serves_several() {
    let topics = Topics::new(Limits::default());
    let bell = Arc::new(Notify::new());
    let mut a = topics
        .subscribe("a", Start::Now, Arc::clone(&bell))
        .unwrap();
    let _b = topics
        .subscribe("b", Start::Now, Arc::clone(&bell))
        .unwrap();
    let publishing = topics.clone();
    tokio::spawn(async move {
        publishing.publish("b", None, "x").unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        publishing.publish("a", None, "y").unwrap();
    });
    let heard = tokio::time::timeout(Duration::from_secs(10), a.wait(9));
    assert_eq!(&*heard.await.unwrap().unwrap()[0].text, "y");
}

#[test]
fn a_subscriber_that_never_reads_holds_nothing_up() {
    let topics = Topics::new(limits(100, usize::MAX));
    let mut slow: Vec<Subscription> = (0..200).map(|_| subscribe(&topics, Start::Now)).collect();
    let text: Arc<str> = "x".repeat(1000).into();
    let started = Instant::now();
    for _ in 0..10_000 {
        topics.publish("t", None, Arc::clone(&text)).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(topics.bytes() <= 100 * (2 * 1000 + 256));
    for subscription in &mut slow {
        assert_eq!(subscription.take(1).unwrap_err().missed, 9900);
        assert_eq!(seqs(subscription).first(), Some(&9901), "and goes on");
    }
    // Its own, one for each message that is kept, none for a subscriber.
    drop(slow);
    assert_eq!(Arc::strong_count(&text), 101);
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize),
    Subscribe(Option<u64>),
    Take(usize, usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2000usize).prop_map(Step::Publish),
        1 => prop::option::of(0..40u64).prop_map(Step::Subscribe),
        4 => (0..8usize, 1..5usize).prop_map(|(who, most)| Step::Take(who, most)),
        1 => (0..8usize).prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Whoever subscribes gets every message from where it began, in order, once, or
    /// is told exactly how many are missing; and the ring stays within its limits.
    #[test]
    fn nothing_is_missing_unless_told(steps in steps(), messages in 1..12usize, bytes in 1..20_000usize) {
        let topics = Topics::new(limits(messages, bytes));
        // So that it is not dropped while nobody else subscribes.
        let _always = subscribe(&topics, Start::Now);
        let mut last = 0;
        let mut readers: Vec<(Subscription, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(length) => {
                    last += 1;
                    prop_assert_eq!(topics.publish("t", None, "x".repeat(length)), Ok(last));
                    let kept = subscribe(&topics, Start::From(1)).take(usize::MAX).unwrap();
                    prop_assert!(kept.len() <= messages);
                    prop_assert!(topics.bytes() <= bytes || kept.len() == 1);
                }
                Step::Subscribe(from) => {
                    let start = from.map_or(Start::Now, Start::From);
                    let reader = subscribe(&topics, start);
                    let next = reader.next_seq();
                    match from {
                        None => prop_assert_eq!(next, last + 1),
                        Some(from) if from <= last + 1 => {
                            prop_assert_eq!(next, from.max(1) + reader.missed());
                        }
                        Some(_) => prop_assert!(reader.missed() > 0),
                    }
                    readers.push((reader, next));
                }
                Step::Take(who, most) => {
                    let Some((reader, next)) = readers.get_mut(who) else { continue };
                    match reader.take(most) {
                        Err(Behind { missed }) => {
                            prop_assert!(missed > 0);
                            *next += missed;
                            prop_assert!(*next <= last);
                        }
                        Ok(taken) => {
                            prop_assert!(taken.len() <= most);
                            prop_assert!(!taken.is_empty() || *next == last + 1);
                            for message in taken {
                                prop_assert_eq!(message.seq, *next);
                                *next += 1;
                            }
                        }
                    }
                }
                Step::Drop(who) => if who < readers.len() {
                    readers.swap_remove(who);
                }
            }
        }
    }
}
