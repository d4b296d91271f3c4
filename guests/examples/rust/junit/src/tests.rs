use super::*;
use pytest_host_sdk::{
    events::{Failure, Outcome, Phase, Report, SessionEnd, Verdict},
    samples::{finished, numbered, report},
    serde_json::json,
    testing::Driven,
};

fn failed(nodeid: &str, phase: Phase) -> Event {
    let failure = Failure {
        kind: "ValueError".into(),
        message: "<no>\x1b".into(),
        traceback: vec![],
        longrepr: "E  ValueError".into(),
    };
    Event::PhaseFinished(Report {
        failure: Some(failure),
        ..report(nodeid, phase, Outcome::Failed)
    })
}

fn passed(nodeid: &str, phase: Phase) -> Event {
    Event::PhaseFinished(report(nodeid, phase, Outcome::Passed))
}

#[test]
fn a_run_is_one_document() {
    let dir = std::env::temp_dir().join(format!("junit-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut sink = Driven::<Junit>::open(&json!({"dir": dir})).unwrap();
    let (a, b) = ("p/test_a.py::test_a", "p/test_a.py::C::test_b[x]");
    sink.handle(numbered([
        passed(a, Phase::Setup),
        passed(a, Phase::Call),
        passed(a, Phase::Teardown),
        finished(a, Verdict::Passed),
        passed(b, Phase::Setup),
        failed(b, Phase::Call),
    ]));
    sink.restart_before_the_last_batch();
    sink.handle_again();
    sink.handle(numbered([
        failed(b, Phase::Teardown),
        finished(b, Verdict::Error),
    ]));
    let end = SessionEnd {
        exitstatus: Some(1),
        reason: None,
    };
    assert!(
        sink.handle(numbered([Event::SessionFinished(end)]))
            .is_empty()
    );
    let text = std::fs::read_to_string(dir.join("junit.xml")).unwrap();
    std::fs::remove_dir_all(dir).unwrap();
    let (_, cases) = text.split_once("hostname=\"h\">").unwrap();
    assert_eq!(
        cases,
        "<testcase classname=\"p.test_a\" name=\"test_a\" time=\"3.000\"/>\
         <testcase classname=\"p.test_a.C\" name=\"test_b[x]\" time=\"2.000\">\
         <failure message=\"ValueError: &lt;no&gt;#x1B\">E  ValueError</failure></testcase>\
         <testcase classname=\"p.test_a.C\" name=\"test_b[x]\" time=\"1.000\">\
         <error message=\"failed on teardown with &quot;ValueError: &lt;no&gt;#x1B&quot;\">E  ValueError</error>\
         </testcase></testsuite></testsuites>"
    );
    assert!(text.contains("errors=\"1\" failures=\"1\" skipped=\"0\" tests=\"2\""));
}
