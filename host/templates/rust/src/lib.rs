//! Counts what tests came to; at the end of the run it writes that to a file, and posts it where asked to.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use pytest_host_sdk::{
    Envelope, Event, Misconfiguration, Need, Opening, Refusal, Session, Sink, Undone,
    events::{Outcome, TestEnd, Verdict},
    http::{Client, Post},
    log, state,
};
use serde::{Deserialize, Serialize};

pytest_host_sdk::export!(Summary);

/// Characters of a message that are kept.
const LONGEST: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The folder of `summary.json`.
    #[serde(default = "report")]
    dir: PathBuf,
    /// Where to post the same.
    url: Option<String>,
}

fn report() -> PathBuf {
    "report".into()
}

/// What outlasts the instance: the host keeps it with the acknowledgement of each batch, so that nothing is
/// counted twice.
#[derive(Default, Deserialize, Serialize)]
struct Tally {
    verdicts: BTreeMap<String, u32>,
    failures: Vec<Failure>,
    /// What the tests that run now have failed with.
    messages: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
struct Failure {
    message: String,
    nodeid: String,
}

struct Summary {
    dir: PathBuf,
    client: Option<Client>,
    session: String,
}

impl Sink for Summary {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        let mut needs = vec![Need::Write(settings.dir.to_string_lossy().into_owned())];
        if let Some(url) = &settings.url {
            needs.push(Client::new(url).need("url")?);
        }
        Ok(needs)
    }

    fn open(settings: &Settings, session: Session, _why: Opening) -> Result<Self, String> {
        Ok(Self {
            dir: settings.dir.clone(),
            client: settings.url.as_deref().map(Client::new),
            session: session.id,
        })
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let mut tally: Tally = state::load("tally").ok().flatten().unwrap_or_default();
        let mut undone = vec![];
        for Envelope { seq, event, .. } in batch {
            match event {
                Event::PhaseFinished(report) => {
                    if let (Outcome::Failed, Some(failure)) = (&report.outcome, &report.failure) {
                        let first = failure.message.split('\n').next().unwrap_or_default();
                        let first = first.chars().take(LONGEST).collect();
                        tally.messages.insert(report.nodeid, first);
                    }
                }
                Event::TestFinished(end) => tally.count(end),
                Event::SessionFinished(_) => undone.extend(self.finish(seq, &tally)),
                _ => {}
            }
        }
        if let Err(error) = state::store("tally", &tally) {
            log::error!("the tally cannot be kept: {error}");
        }
        undone
    }
}

impl Summary {
    /// Says what is not done. It may be called again: the same text is written and posted.
    fn finish(&self, seq: u64, tally: &Tally) -> Vec<Undone> {
        let shown = Shown {
            failures: &tally.failures,
            session: &self.session,
            verdicts: &tally.verdicts,
        };
        let written = serde_json::to_string_pretty(&shown)
            .map_err(|error| error.to_string())
            .and_then(|text| write(&self.dir, text + "\n"));
        match (written, &self.client) {
            (Err(problem), _) => {
                let why = Refusal::Reject(problem);
                vec![Undone { seq, why }]
            }
            (Ok(text), Some(client)) => client.post([Post::of_text(seq, text)]),
            (Ok(_), None) => vec![],
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    failures: &'a [Failure],
    session: &'a str,
    verdicts: &'a BTreeMap<String, u32>,
}

fn write(dir: &Path, text: String) -> Result<String, String> {
    let file = dir.join("summary.json");
    match fs::write(&file, &text) {
        Ok(()) => Ok(text),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

impl Tally {
    fn count(&mut self, end: TestEnd) {
        let name = name(end.verdict);
        *self.verdicts.entry(name.to_owned()).or_default() += 1;
        let message = self.messages.remove(&end.nodeid);
        if let Verdict::Failed | Verdict::Error | Verdict::Crashed = end.verdict {
            self.failures.push(Failure {
                message: message.unwrap_or_else(|| name.to_owned()),
                nodeid: end.nodeid,
            });
        }
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Error => "error",
        Verdict::Skipped => "skipped",
        Verdict::Xfailed => "xfailed",
        Verdict::Xpassed => "xpassed",
        Verdict::Rerun => "rerun",
        Verdict::Crashed => "crashed",
        Verdict::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pytest_host_sdk::{
        events::{Failure, Phase, Report, SessionEnd},
        samples::{finished, numbered, report},
        testing::{Driven, host, needs},
    };
    use serde_json::json;

    fn over() -> Event {
        Event::SessionFinished(SessionEnd {
            exitstatus: Some(0),
            reason: None,
        })
    }

    #[test]
    fn a_summary_is_written_when_the_run_is_over() {
        let dir = std::env::temp_dir().join(format!("sink-name-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let failure = Failure {
            kind: "AssertionError".into(),
            message: "no\nmore".into(),
            traceback: vec![],
            longrepr: String::new(),
        };
        let failed = Report {
            failure: Some(failure),
            ..report("test_a.py::test_c", Phase::Call, Outcome::Failed)
        };
        let mut sink = Driven::<Summary>::open(&json!({"dir": dir})).unwrap();
        sink.handle(numbered([
            finished("test_a.py::test_b", Verdict::Passed),
            Event::PhaseFinished(failed),
            finished("test_a.py::test_c", Verdict::Failed),
        ]));
        // As after a kill: the batch comes again.
        sink.restart_before_the_last_batch();
        sink.handle_again();
        assert!(!dir.join("summary.json").exists());
        assert!(sink.handle(numbered([over()])).is_empty());
        let written = fs::read_to_string(dir.join("summary.json")).unwrap();
        let written: serde_json::Value = serde_json::from_str(&written).unwrap();
        let expected = json!({
            "failures": [{"message": "no", "nodeid": "test_a.py::test_c"}],
            "session": "run-1",
            "verdicts": {"failed": 1, "passed": 1},
        });
        assert_eq!(written, expected);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_server_that_is_busy_is_asked_again() {
        let dir = std::env::temp_dir();
        let settings = json!({"dir": dir, "url": "http://127.0.0.1:1/x"});
        let mut sink = Driven::<Summary>::open(&settings).unwrap();
        host().answer_with(503);
        let undone = sink.handle(numbered([over()]));
        assert!(matches!(&undone[..], [Undone { why: Refusal::Retry(_), .. }]));
        assert_eq!(host().requests()[0].url, "http://127.0.0.1:1/x");
    }

    #[test]
    fn settings() {
        let asked = needs::<Summary>(&json!({"dir": "out", "url": "https://h.example/x?y"}));
        let expected = [Need::Write("out".into()), Need::Http("https://h.example:443".into())];
        assert_eq!(asked.unwrap(), expected);
        let told = needs::<Summary>(&json!({"dri": "out"})).unwrap_err();
        assert_eq!(told.key.as_deref(), Some("dri"));
    }
}
