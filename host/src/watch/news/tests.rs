use super::*;
use crate::guest::bindings::events::Verdict;
use crate::watch::testing::{START, at, busy, done, end, feed, sink};

fn kinds(news: &[News]) -> Vec<String> {
    let kind = |news: &News| {
        let value = serde_json::to_value(news).unwrap();
        value["type"].as_str().unwrap().to_owned()
    };
    news.iter().map(kind).collect()
}

fn at_time(seconds: f64) -> f64 {
    START + seconds
}

#[test]
fn a_run_is_told_from_its_start_to_its_end() {
    let mut teller = Teller::new(60.0);
    let mut watched = busy();
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(6.0))),
        ["run", "failed"]
    );
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(6.1))), [""; 0]);

    feed(
        &mut watched,
        [at(
            7.0,
            Some("gw0"),
            end("t.py::test_3", 2, Verdict::Passed),
        )],
    );
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(7.0))),
        [""; 0],
        "too soon"
    );
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(11.0))),
        ["progress", "sinks"]
    );
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(30.0))),
        [""; 0],
        "nothing changed"
    );

    let notes = std::mem::take(&mut watched.notes);
    watched = done();
    watched.notes = notes;
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(31.0))),
        ["finished"]
    );
    watched.is_owned = false;
    watched.sinks = vec![sink("publish", 42, 0, None)];
    assert!(!watched.is_over(), "more may be unread");
    watched.read_all();
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(32.0))), ["sinks"]);
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(99.0))), [""; 0]);
}

#[test]
fn a_slow_test_is_told_each_time_its_age_has_doubled() {
    let mut teller = Teller::new(60.0);
    let mut watched = busy();
    let mut told = Vec::new();
    for second in 0..500 {
        let now = at_time(f64::from(second));
        for news in teller.tell(&mut watched, now) {
            if let What::Slow(test) = news.what {
                told.push((test.nodeid, second));
            }
        }
    }
    let first: Vec<i32> = told
        .iter()
        .filter(|(nodeid, _)| nodeid == "t.py::test_3")
        .map(|(_, second)| *second)
        .collect();
    assert_eq!(first, [65, 125, 245, 485]);
    assert_eq!(told.len(), 8);
}

#[test]
fn a_run_whose_host_ended_is_told_as_lost_once() {
    let mut teller = Teller::new(60.0);
    let mut watched = busy();
    watched.sinks.clear();
    teller.tell(&mut watched, at_time(6.0));
    watched.state = State::Lost;
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(7.0))), ["lost"]);
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(8.0))), [""; 0]);
    watched.state = State::Running;
    teller.tell(&mut watched, at_time(9.0));
    watched.state = State::Finished;
    assert!(kinds(&teller.tell(&mut watched, at_time(9.0))).contains(&"finished".to_owned()));
}

#[test]
fn a_long_collection_does_not_hold_up_the_first_line() {
    let mut teller = Teller::new(60.0);
    let mut watched = Watched::new("r-1");
    let all = busy().run;
    watched.run.started = all.started;
    watched.is_owned = true;
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(0.0))), [""; 0]);
    assert_eq!(kinds(&teller.tell(&mut watched, at_time(3.0))), ["run"]);
    watched.run = all;
    assert_eq!(
        kinds(&teller.tell(&mut watched, at_time(3.1))),
        ["progress"]
    );
}

#[test]
fn the_keys_of_an_object() {
    let mut watched = busy();
    let news = Teller::new(1.0).tell(&mut watched, at_time(6.0));
    let lines: Vec<String> = news
        .iter()
        .map(|news| serde_json::to_string(news).unwrap())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"run","started":1000.0,"rootdir":"/srv/project","args":["-n2","tests"],"pytest":"9.2.0","pid":4711,"dist":"load","collected":10,"run":"2026-11-21T10-10-42-3f9a","time":1000.0}
    {"type":"failed","nodeid":"t.py::test_2","attempt":1,"worker":"gw0","phase":"call","subtest":null,"kind":"AssertionError","message":"assert 1 == 2","run":"2026-11-21T10-10-42-3f9a","time":1004.0}
    {"type":"slow","nodeid":"tests/deep/test_表.py::test_1[é]","attempt":1,"worker":"gw1","since":1002.5,"seconds":3.5,"run":"2026-11-21T10-10-42-3f9a","time":1006.0}
    {"type":"slow","nodeid":"t.py::test_3","attempt":2,"worker":"gw0","since":1005.0,"seconds":1.0,"run":"2026-11-21T10-10-42-3f9a","time":1006.0}
    "#);
}
