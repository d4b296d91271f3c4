use super::*;
use crate::workbench::{Shared, messages, test};

const TRIGGER: Trigger = Trigger {
    seq: 7,
    time: 1795247875.5694594,
    part: 1,
};

/// Sends all that is to be sent, and says what it was.
fn sent(prelude: &mut Prelude<Shared>) -> Vec<(u64, usize, Message)> {
    let mut sent = vec![];
    let outcome = prelude.send(&messages(), |seq, part, message| {
        sent.push((seq, part, message));
        None
    });
    assert_eq!(outcome, Ok(()));
    sent
}

fn nodeids(message: &Message) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_slice(&message.json).unwrap();
    let tests = value["tests"].as_array().unwrap().iter();
    tests
        .map(|test| test["nodeid"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_was_kept_is_gone_once_it_was_sent() {
    let state = Shared::default();
    let mut prelude = Prelude::new(state.clone());
    prelude.announce(&[test("a", None), test("b", Some("é"))], &messages());
    prelude.announce(&[test("c", None)], &messages());
    assert_eq!(
        prelude.keep(3, &messages().interrupted("broken", 1.0)),
        None
    );
    assert_eq!(prelude.complete(TRIGGER), None);
    prelude.save();
    assert_eq!(state.0.borrow().len(), 4);

    // Another instance goes on.
    let mut prelude = Prelude::new(state.clone());
    let all = sent(&mut prelude);
    let [(7, 1, start), (3, 1, failure)] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(nodeids(start), ["a", "b", "c"]);
    assert!(String::from_utf8_lossy(&start.json).contains(r#""startTime": 1795247875.5694594"#));
    assert_eq!(failure, &messages().interrupted("broken", 1.0));
    prelude.save();
    assert!(prelude.is_done());
    assert_eq!(state.0.borrow().keys().collect::<Vec<_>>(), [PROGRESS]);
    assert!(sent(&mut Prelude::new(state)).is_empty());
}

#[test]
fn tests_that_come_late_change_nothing() {
    let mut prelude = Prelude::new(Shared::default());
    prelude.announce(&[test("a", None)], &messages());
    prelude.complete(TRIGGER);
    prelude.announce(&[test("b", None)], &messages());
    prelude.complete(Trigger { seq: 9, ..TRIGGER });
    let [(seq, _, start)] = sent(&mut prelude).try_into().unwrap();
    assert_eq!((seq, nodeids(&start)), (7, vec!["a".to_owned()]));
}

#[test]
fn what_is_to_wait_is_not_tried_again_before() {
    let mut prelude = Prelude::new(Shared::default());
    prelude.complete(TRIGGER);
    let busy = Refusal::Retry((60.0, "busy".into()));
    let refused = prelude.send(&messages(), |_, _, _| Some(busy.clone()));
    assert_eq!(refused, Err(busy));
    match prelude.send(&messages(), |_, _, _| unreachable!("too early")) {
        Err(Refusal::Retry((left, why))) if left > 30.0 && left <= 60.0 => assert_eq!(why, "busy"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_sent_is_not_sent_again_with_what_was_not() {
    let mut prelude = Prelude::new(Shared::default());
    for nodeid in ["x", "y"] {
        prelude.keep(1, &messages().interrupted(nodeid, 1.0));
    }
    prelude.complete(TRIGGER);
    let mut about = vec![];
    let refused = prelude.send(&messages(), |_, _, message| {
        about.push(message.about);
        (about.len() == 2).then(|| Refusal::Retry((0.0, "busy".into())))
    });
    assert!(refused.is_err());
    about.extend(
        sent(&mut prelude)
            .into_iter()
            .map(|(_, _, message)| message.about),
    );
    assert_eq!(
        about,
        [
            "startTestRun",
            "stopTest of x",
            "stopTest of x",
            "stopTest of y"
        ]
    );
}

#[test]
fn what_is_rejected_holds_nothing_up() {
    let mut prelude = Prelude::new(Shared::default());
    prelude.keep(1, &messages().interrupted("x", 1.0));
    prelude.complete(TRIGGER);
    let mut reasons = ["first", "second"].into_iter();
    let outcome = prelude.send(&messages(), |_, _, _| {
        Some(Refusal::Reject(reasons.next().unwrap().to_owned()))
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(prelude.outcome(), (Some(TRIGGER), Some("first")));
}

/// Announces tests by the thousand, as the host does, until `count`.
fn announce(prelude: &mut Prelude<Shared>, count: usize, doc: Option<&str>) {
    let messages = messages();
    for thousand in 0..count.div_ceil(1000) {
        let numbers = thousand * 1000..count.min(thousand * 1000 + 1000);
        let nodeid = |n| {
            format!(
                "tests/unit/some_package/test_module_{thousand}.py::TestSomething::test_number[{n}]"
            )
        };
        let tests: Vec<_> = numbers.map(|n| test(&nodeid(n), doc)).collect();
        prelude.announce(&tests, &messages);
        prelude.save();
    }
}

#[test]
fn fifty_thousand_tests_leave_in_one_message() {
    let state = Shared::default();
    let mut prelude = Prelude::new(state.clone());
    announce(
        &mut prelude,
        50_000,
        Some("Says what it tests, in a line of usual length."),
    );
    assert_eq!(prelude.complete(TRIGGER), None);
    let kept: usize = state.0.borrow().values().map(Vec::len).sum();
    assert!(kept <= LIMITS.kept, "{kept} bytes kept");
    let listed = prelude.progress.listed;
    let [(_, _, start)] = sent(&mut prelude).try_into().unwrap();
    assert_eq!(nodeids(&start).len(), 50_000);
    // Never moved to where there is more room.
    assert!(start.json.len() <= listed + 200 && start.json.capacity() <= listed + 200);
}

#[test]
fn what_there_is_no_room_for_is_left_out_and_told() {
    let state = Shared::default();
    let mut prelude = Prelude::new(state.clone());
    prelude.limits.kept = 1 << 20;
    announce(&mut prelude, 2500, Some(&"x".repeat(1000)));
    let line = prelude.complete(TRIGGER).unwrap();
    let kept: usize = state.0.borrow().values().map(Vec::len).sum();
    assert!(
        kept <= (1 << 20) + 1000 && kept > (1 << 20) - 3000,
        "{kept} bytes kept"
    );
    let [(_, _, start)] = sent(&mut prelude).try_into().unwrap();
    let named = nodeids(&start);
    assert!(
        named
            .last()
            .unwrap()
            .ends_with(&format!("[{}]", named.len() - 1))
    );
    let count = named.len();
    let expected = format!("startTestRun names {count} of 2500 tests: there is no room for more");
    assert_eq!(line, expected);
}

#[test]
fn what_would_grow_beyond_memory_is_left_out() {
    let mut prelude = Prelude::new(Shared::default());
    prelude.limits.listed = 100_000;
    // Two bytes become six when they are escaped.
    announce(&mut prelude, 30, Some(&"é".repeat(1000)));
    assert!(prelude.complete(TRIGGER).is_some());
    assert!(prelude.progress.kept < prelude.limits.kept);
    let [(_, _, start)] = sent(&mut prelude).try_into().unwrap();
    assert!(start.json.len() <= 100_000 + 200);
    assert_eq!(nodeids(&start).len(), 16);
}

#[test]
fn errors_without_end_are_set_aside() {
    let mut prelude = Prelude::new(Shared::default());
    let long = Message {
        about: "stopTest of x".into(),
        json: vec![b'x'; LIMITS.kept / 2],
    };
    assert_eq!(prelude.keep(1, &long), None);
    assert!(matches!(prelude.keep(2, &long), Some(Refusal::Reject(_))));
    let short = messages().interrupted("x", 1.0);
    assert_eq!(prelude.keep(3, &short), None);
}
