use pytest_host_sdk::Refusal;
use serde_json::{Value, json};

use super::*;

fn settings(more: Value) -> Settings {
    let mut all = json!({"url": "http://h/u?x=1"});
    all.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn parcels(count: u64) -> Vec<Parcel> {
    let parcel = |seq| {
        let result = serde_json::from_value(json!({
            "type": "result", "result": "pass", "nodeid": format!("t{seq}"), "name": "t", "start_time": 1.0,
            "stop_time": 2.0, "duration": 0.5, "stdout": "", "stderr": "", "log": "", "xdist_dist": null,
            "xdist_worker": null, "xdist_scope": null, "pubdir_path": null, "excinfo": null,
        }));
        Parcel {
            seq,
            result: result.unwrap(),
        }
    };
    (1..=count).map(parcel).collect()
}

fn status(status: u16) -> Result<Response, Error> {
    Ok(Response {
        status,
        headers: vec![],
        body: vec![],
    })
}

/// What comes of posting results that are answered so.
fn tried(
    settings: &Settings,
    answers: Vec<Result<Response, Error>>,
) -> (bool, Vec<Option<Refusal>>) {
    let parcels = parcels(answers.len() as u64);
    match post(settings, "run", &parcels, |_| answers) {
        Tried::Each(refusals) => (false, refusals),
        Tried::Stop(refusals) => (true, refusals),
    }
}

fn header<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    let named = request
        .headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_result_is_one_request() {
    let [parcel] = parcels(1).try_into().unwrap();
    let request = request(&settings(json!({"timeout": 3})), "run-7", &parcel);
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "http://h/u?x=1")
    );
    assert_eq!(request.timeout, Some(3.0));
    assert_eq!(request.body, parcel.result.json());
    assert_eq!(header(&request, "Content-Type"), ["application/json"]);
    assert_eq!(header(&request, "Idempotency-Key"), ["run-7-1"]);
    assert!(header(&request, "User-Agent")[0].starts_with("pytest-host/"));
}

#[test]
fn headers_of_the_user_replace_ours() {
    let settings =
        settings(json!({"headers": {"Authorization": "Bearer x", "User-Agent": "mine"}}));
    let [parcel] = parcels(1).try_into().unwrap();
    let request = request(&settings, "run", &parcel);
    assert_eq!(header(&request, "authorization"), ["Bearer x"]);
    assert_eq!(header(&request, "user-agent"), ["mine"]);
}

#[test]
fn each_answer_counts_for_its_result() {
    let (stopped, refusals) = tried(
        &settings(json!({})),
        vec![status(200), status(503), status(404), Err(Error::TimedOut)],
    );
    assert!(!stopped);
    assert!(matches!(
        refusals.as_slice(),
        [
            None,
            Some(Refusal::Retry(_)),
            Some(Refusal::Reject(_)),
            Some(Refusal::Retry(_))
        ]
    ));
}

#[test]
fn an_endpoint_that_is_gone_stops_the_batch() {
    let gone = || Err(Error::Unreachable("refused".into()));
    let two = settings(json!({"concurrency": 2}));
    assert!(tried(&two, vec![gone(), Err(Error::TimedOut)]).0);
    // It answers, if badly.
    assert!(!tried(&two, vec![gone(), status(503)]).0);
    // Fewer than could be tried: nothing is left to be spared.
    assert!(!tried(&two, vec![gone()]).0);
}
