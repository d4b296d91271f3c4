//! What starts when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Clock};

use proptest::prelude::*;

use super::world::{Body, SECOND, World, conductor, run};
use crate::step::Verdict;

#[test]
fn three_days_of_fifty_events_exactly_on_plan() {
    // Intervals of 5 min to 5 h, some with a late start, bodies of up to a fifth of it.
    let interval = |n: u64| 300 + n * 367;
    let events: Vec<String> = (0..50)
        .map(|n| {
            format!(
                r#"{{"name": "e{n}", "interval_sec": {}, "at_startup": {}, "start_after": {}}}"#,
                interval(n),
                n % 3 != 0,
                n % 7
            )
        })
        .collect();
    let description = format!(
        r#"{{"test_name": "soak", "total_hours": 72, "stop_timeout": 3600, "events": [{}]}}"#,
        events.join(",")
    );
    let started = Clock::now();
    let seen = World {
        description: &description,
        body: &|name, run| {
            let n: u64 = name[1..].parse().unwrap();
            Body::lasts((run * 7919 + n) % (interval(n) / 5) * SECOND + 123)
        },
        ..World::default()
    }
    .run();
    let took = started.elapsed();
    let mut found: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (time, action) in &seen.starts {
        assert_eq!(*time, action.due);
        found.entry(&action.name).or_default().push(*time);
    }
    for n in 0..50 {
        let first = n % 7 + if n % 3 == 0 { interval(n) } else { 0 };
        let planned: Vec<u64> = (0..)
            .map(|k| (first + k * interval(n)) * SECOND)
            .take_while(|time| *time < 72 * 3600 * SECOND)
            .collect();
        assert_eq!(found[format!("e{n}").as_str()], planned, "e{n}");
    }
    // The last of them run on for a while.
    assert_eq!(seen.stopped, Some(72 * 3600 * SECOND));
    assert_eq!(seen.verdict, Verdict::Passed);
    // Half a second where nothing is optimised; wide, for machines that are busy.
    assert!(took < Duration::from_secs(10), "{took:?}");
    println!("{} starts in {took:?}", seen.starts.len());
}

#[test]
fn the_soonest_first_and_those_of_one_time_as_described() {
    let seen = run(r#"{"test_name": "t", "total_seconds": 5, "events": [
        {"name": "late", "interval_sec": 4, "at_startup": false},
        {"name": "often", "interval_sec": 1, "at_startup": false},
        {"name": "last", "at_startup": false, "at_teardown": true}
    ]}"#);
    assert_eq!(
        seen.in_order(),
        "1 often, 2 often, 3 often, 4 late, 4 often, 5 last"
    );
    assert_eq!(seen.ended_at(), 5.0);
}

#[test]
fn the_readme() {
    let seen = run(include_str!("readme.json"));
    assert_eq!(seen.starts_of("start_playback").len(), 36);
    assert_eq!(seen.starts_of("start_streamer"), [0.0]);
    assert_eq!(seen.starts_of("collect_system_report"), [10_800.0]);
    let (_, first) = &seen.starts[0];
    assert_eq!(
        first.params,
        r#"{"video_path":"/home/orch-tests/video-files/high_res_clip.mp4"}"#
    );
    assert_eq!(first.next, Some(300 * SECOND));
}

#[test]
fn a_test_of_no_length_runs_what_is_at_its_start_and_end() {
    let seen = run(r#"{"test_name": "t", "total_hours": 0, "events": [
        {"name": "first", "interval_sec": 1}, {"name": "last", "at_startup": false, "at_teardown": true},
        {"name": "never", "start_after": 1}
    ]}"#);
    assert_eq!(seen.in_order(), "0 first, 0 last");
    assert_eq!(seen.ended, 0);
}

#[test]
fn start_after_count_and_units() {
    let seen = run(
        r#"{"test_name": "t", "total_minutes": 1, "total_seconds": 30, "events": [
        {"name": "a", "interval_min": 0.25, "start_after": 5, "count": 3},
        {"name": "b", "interval_hour": 0.01, "at_startup": false},
        {"name": "c", "at_startup": false, "start_after": 7.5}
    ]}"#,
    );
    assert_eq!(seen.starts_of("a"), [5.0, 20.0, 35.0]);
    assert_eq!(seen.starts_of("b"), [36.0, 72.0]);
    assert_eq!(seen.starts_of("c"), [7.5]);
    assert_eq!(seen.ended_at(), 90.0);
}

#[test]
fn jitter_is_the_seeds() {
    let description = r#"{"test_name": "t", "total_seconds": 100, "events": [
        {"name": "a", "interval_sec": 1, "jitter": 0.5}, {"name": "b", "interval_sec": 1, "jitter": 0.5}
    ]}"#;
    let with = |seed| {
        let world = World {
            description,
            seed,
            ..World::default()
        };
        let seen = world.run();
        (seen.starts_of("a"), seen.starts_of("b"))
    };
    let (a, b) = with(7);
    assert_eq!((a.clone(), b.clone()), with(7));
    assert_ne!(a, with(8).0);
    assert_ne!(a, b);
    assert_eq!(a.len(), 100);
    for (k, time) in a.iter().enumerate() {
        assert!((0.0..=0.5).contains(&(time - k as f64)), "{time}");
    }
}

#[test]
fn an_event_never_overlaps_itself_unless_told_to() {
    let lasting = |overlap| {
        let description = format!(
            r#"{{"test_name": "t", "total_seconds": 7, "events": [
                {{"name": "long", "interval_sec": 1, "overlap": {overlap}}}]}}"#
        );
        let body = |_: &str, _| Body::lasts(5 * SECOND / 2);
        World {
            description: &description,
            body: &body,
            ..World::default()
        }
        .run()
    };
    let seen = lasting(false);
    assert_eq!(seen.starts_of("long"), [0.0, 3.0, 6.0]);
    assert_eq!(
        seen.said(),
        "Warning long: the tick at 1 s is missed, since the run before has not ended\n\
         Warning long: 2 ticks in a row were missed\n\
         Warning long: the tick at 4 s is missed, since the run before has not ended\n\
         Warning long: 2 ticks in a row were missed\n\
         Warning long: 3 runs, 4 ticks missed"
    );
    assert_eq!(seen.verdict, Verdict::Passed);
    assert_eq!(lasting(true).starts_of("long").len(), 7);
}

#[test]
fn whoever_comes_back_goes_on_where_the_plan_is() {
    let seen = World {
        description: r#"{"test_name": "t", "total_seconds": 20, "events": [
            {"name": "a", "interval_sec": 1}, {"name": "b", "interval_sec": 6}]}"#,
        gone: Some((3 * SECOND / 2, 10 * SECOND + 300)),
        ..World::default()
    }
    .run();
    let after = [2, 3, 4, 5, 6, 7, 8, 9].map(f64::from);
    let a = seen.starts_of("a");
    assert!(a.iter().all(|time| !after.contains(time)), "{a:?}");
    assert_eq!(a.len(), 2 + 1 + 9);
    // Late is better than not at all, where the next one is far away.
    assert_eq!(seen.starts_of("b").len(), 4);
    assert!(
        seen.said()
            .starts_with("Warning a: 8 ticks missed, from 2 s on"),
        "{}",
        seen.said()
    );
}

#[test]
fn whoever_comes_back_after_the_end_only_tears_down() {
    let seen = World {
        description: r#"{"test_name": "t", "total_seconds": 20, "events": [
            {"name": "a", "interval_sec": 1}, {"name": "z", "at_startup": false, "at_teardown": true}]}"#,
        gone: Some((17 * SECOND / 2, 60 * SECOND)),
        ..World::default()
    }
    .run();
    assert_eq!(seen.starts_of("a").len(), 9);
    assert_eq!(seen.starts_of("z"), [60.0]);
    assert!(
        seen.said().starts_with("Warning a: 11 ticks missed"),
        "{}",
        seen.said()
    );
}

/// A description of up to six events, of all kinds.
fn descriptions() -> impl Strategy<Value = String> {
    let event = (
        proptest::option::of(1..40_u64),
        any::<bool>(),
        any::<bool>(),
        proptest::option::of(0..20_u64),
        0..10_u64,
        proptest::option::of(0..12_u64),
        any::<bool>(),
    );
    let events = proptest::collection::vec(event, 0..6);
    (events, 0..60_u64).prop_map(|(events, total)| {
        let events = events.into_iter().enumerate().map(
            |(n, (interval, startup, teardown, after, jitter, count, overlap))| {
                let mut event = serde_json::json!({
                    "name": format!("e{n}"), "at_startup": startup, "at_teardown": teardown,
                    "start_after": after, "count": count, "overlap": overlap,
                });
                if let Some(interval) = interval {
                    event["interval_sec"] = interval.into();
                    event["jitter"] = (jitter.min(interval) as f64 * 0.9).into();
                }
                event
            },
        );
        serde_json::json!({
            "test_name": "t", "total_seconds": total, "events": events.collect::<Vec<_>>(),
            "teardown_timeout": 5, "stop_timeout": 3,
        })
        .to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_ends_in_time_on_plan_without_overlap_and_repeats_itself(
        description in descriptions(), seed: u64, lengths in proptest::collection::vec(proptest::option::weighted(0.95, 0..9_000_u64), 1..40),
        killed in proptest::option::weighted(0.2, 0..60_000_u64),
    ) {
        let body = |name: &str, run: u64| {
            let n = usize::try_from(run).unwrap() * 7 + usize::from(name.as_bytes()[1]);
            let lasts = lengths[n % lengths.len()];
            Body { lasts: lasts.map(|lasts| lasts * 1_000_000), ..Body::default() }
        };
        let millisecond = 1_000_000;
        let world = World {
            description: &description, seed, body: &body,
            killed: killed.map(|time| time * millisecond), gone: None,
        };
        let (seen, calls, steps) = world.run_with_calls();

        let total = serde_json::from_str::<serde_json::Value>(&description).unwrap()["total_seconds"].as_u64().unwrap();
        let end = killed.map_or(total * SECOND, |time| (time * millisecond).min(total * SECOND));
        prop_assert!(seen.ended <= end + 8 * SECOND, "{} {end}", seen.ended);
        prop_assert!(seen.starts.iter().all(|(time, action)| *time == action.due));
        prop_assert_eq!(seen.stopped.is_some(), true);

        // Whoever makes the same calls comes to the same.
        let mut again = conductor(&description, seed);
        for ((now, completed, killed), step) in calls.iter().zip(&steps) {
            prop_assert_eq!(&again.advance(*now, completed, *killed), step);
        }
        let mut running: BTreeMap<u32, String> = BTreeMap::new();
        let parsed = crate::description::Description::parse(&description, None, seed).unwrap();
        for ((_, completed, _), step) in calls.iter().zip(&steps) {
            for completion in completed {
                running.remove(&completion.instance);
            }
            for action in &step.start {
                let event = parsed.events.iter().find(|event| event.name == action.name).unwrap();
                if !event.overlap {
                    // Unless it was given up on before.
                    prop_assert!(step.stop || !running.values().any(|name| *name == action.name));
                }
                prop_assert!(running.insert(action.instance, action.name.clone()).is_none());
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC*", hours in proptest::option::of(any::<f64>())) {
        let _ = crate::description::Description::parse(&text, hours, 0);
    }
}
