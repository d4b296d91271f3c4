//! The tests of a run, a page at a time.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::Detail;
use super::input::{Asked, page};
use super::{Api, Invalid, Problem};
use crate::guest::bindings::events::{Envelope, Event, Failure, Outcome, Phase};
use crate::journal::{JournalError, JournalReader};
use crate::watch::VERDICTS;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;
/// Characters of what pytest prints of a failure.
const LONGEST: usize = 16 << 10;

/// Which tests.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// Only those of these outcomes, with commas between: `passed`, `failed`, `error`, `crashed`,
    /// `interrupted`, `skipped`, `xfailed`, `xpassed`, `rerun`, `running`, `waiting`, `not-run`.
    outcome: Option<String>,
    /// Only those that have this text in their node id or in what failed, whatever its case.
    text: Option<String>,
    /// How many to leave out first: what the answer before has as `next`.
    from: usize,
    /// How many, 1 to 1000; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(deserialize_with = "page::<LARGEST_PAGE, _>")]
    limit: Option<usize>,
}

/// In the order in which they were collected, and then in which they ran.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tests {
    tests: Vec<TestOfRun>,
    /// How many fit what was asked for, on all pages.
    total: usize,
    /// What to ask for as `from` to get the next; null where there are none.
    next: Option<usize>,
}

/// A test, or one try of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TestOfRun {
    nodeid: String,
    /// 1 for its first run, 2 for its first rerun.
    attempt: u32,
    worker: Option<String>,
    outcome: &'static str,
    /// Seconds since the epoch.
    started: Option<f64>,
    /// Seconds that it took.
    duration: Option<f64>,
    /// Why it did not run.
    reason: Option<String>,
    failures: Vec<FailureOfTest>,
}

/// Something that failed in a test.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FailureOfTest {
    /// `setup`, `call` or `teardown`.
    phase: &'static str,
    subtest: Option<String>,
    kind: String,
    message: String,
    /// What pytest prints, the first 16 Ki characters of it.
    longrepr: String,
}

/// All tests of a run.
#[derive(Debug, Default)]
pub struct Table {
    head: u64,
    tests: Vec<TestOfRun>,
    rows: HashMap<(Option<String>, String, u32), usize>,
    /// Announced and not started.
    waiting: HashMap<String, usize>,
}

/// The tests of a run, a page at a time.
#[utoipa::path(get, path = "/api/runs/{run}/tests", tag = "runs",
    params(("run" = String, Path, description = "Its name, or `last`"), Which), responses(
    (status = OK, body = Tests),
    (status = NOT_FOUND, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
pub async fn tests(
    State(api): State<Api>,
    Path(run): Path<String>,
    Asked(which): Asked<Which>,
) -> Result<Json<Tests>, Problem> {
    api.aside(move |api| {
        let id = api.run_named(&run)?;
        let table = api.table(&id).map_err(Problem::trouble)?;
        Ok(Json(table.page(&which)))
    })
    .await?
}

impl Api {
    fn table(&self, id: &str) -> Result<Arc<Table>, JournalError> {
        let Some(reader) = JournalReader::open(&self.0.state.journal_of(id))? else {
            return Ok(Arc::default());
        };
        let head = reader.head()?.last;
        if let Some(known) = self.0.book.table(id, head) {
            return Ok(known);
        }
        let mut table = Table::default();
        reader.outline(|envelope| table.take(envelope))?;
        // Or later; what it has of that is right all the same.
        table.head = head;
        let table = Arc::new(table);
        self.0.book.keep_table(id, Arc::clone(&table));
        Ok(table)
    }
}

impl Table {
    /// The last event that is surely in it.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    fn take(&mut self, envelope: Envelope) {
        let Envelope {
            time,
            worker,
            event,
            ..
        } = envelope;
        match event {
            Event::Collected(tests) => {
                for test in tests {
                    self.announce(test.nodeid);
                }
            }
            Event::TestStarted((nodeid, attempt)) => {
                let row = self.row(worker, nodeid, attempt);
                row.outcome = "running";
                row.started = Some(time);
            }
            Event::PhaseFinished(report) if report.outcome == Outcome::Failed => {
                let row = self.row(worker, report.nodeid, report.attempt);
                let failure = report.failure.as_ref();
                let failed = FailureOfTest::of(report.phase, report.subtest, failure);
                row.failures.push(failed);
            }
            Event::TestFinished(end) => {
                let row = self.row(worker, end.nodeid, end.attempt);
                let mut words = VERDICTS.iter().filter(|(of, _)| *of == end.verdict);
                row.outcome = words.next().map_or("", |(_, word)| *word);
                row.duration = Some(end.duration);
            }
            Event::NotRun((nodeid, reason)) => {
                if let Some(row) = self.waiting.remove(&nodeid)
                    && let Some(row) = self.tests.get_mut(row)
                {
                    row.outcome = "not-run";
                    row.reason = Some(reason);
                }
            }
            _ => {}
        }
    }

    fn announce(&mut self, nodeid: String) {
        // One that is collected twice is told apart by its attempts.
        self.waiting
            .entry(nodeid.clone())
            .or_insert(self.tests.len());
        self.tests.push(TestOfRun {
            nodeid,
            attempt: 1,
            worker: None,
            outcome: "waiting",
            started: None,
            duration: None,
            reason: None,
            failures: Vec::new(),
        });
    }

    fn row(&mut self, worker: Option<String>, nodeid: String, attempt: u32) -> &mut TestOfRun {
        let key = (worker.clone(), nodeid.clone(), attempt);
        let place = match self.rows.get(&key) {
            Some(place) => *place,
            None => {
                let place = match self.waiting.remove(&nodeid) {
                    Some(place) => place,
                    None => {
                        let place = self.tests.len();
                        self.announce(nodeid.clone());
                        self.waiting.remove(&nodeid);
                        place
                    }
                };
                self.rows.insert(key, place);
                place
            }
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "places are those of rows, of which none is removed"
        )]
        let row = &mut self.tests[place];
        row.worker = worker;
        row.attempt = attempt;
        row
    }

    fn page(&self, which: &Which) -> Tests {
        let outcomes: Option<Vec<&str>> = which
            .outcome
            .as_deref()
            .map(|text| text.split(',').map(str::trim).collect());
        let text = which.text.as_deref().map(str::to_lowercase);
        let fits = |test: &&TestOfRun| {
            outcomes
                .as_ref()
                .is_none_or(|outcomes| outcomes.contains(&test.outcome))
                && text.as_ref().is_none_or(|text| test.has(text))
        };
        let limit = which.limit.unwrap_or(PAGE);
        let fitting: Vec<&TestOfRun> = self.tests.iter().filter(fits).collect();
        let total = fitting.len();
        let tests = fitting.into_iter().skip(which.from).take(limit).cloned();
        let tests: Vec<TestOfRun> = tests.collect();
        let next = which.from.saturating_add(tests.len());
        Tests {
            next: (next < total).then_some(next),
            tests,
            total,
        }
    }
}

impl TestOfRun {
    fn has(&self, text: &str) -> bool {
        let failed = |failure: &FailureOfTest| {
            [&failure.kind, &failure.message, &failure.longrepr]
                .iter()
                .any(|of| of.to_lowercase().contains(text))
        };
        self.nodeid.to_lowercase().contains(text) || self.failures.iter().any(failed)
    }
}

impl FailureOfTest {
    fn of(phase: Phase, subtest: Option<String>, failure: Option<&Failure>) -> Self {
        let phase = match phase {
            Phase::Setup => "setup",
            Phase::Call => "call",
            Phase::Teardown => "teardown",
        };
        let (kind, message, longrepr) = failure.map_or_else(Default::default, |failure| {
            let longrepr = failure.longrepr.chars().take(LONGEST).collect();
            (failure.kind.clone(), failure.message.clone(), longrepr)
        });
        Self {
            phase,
            subtest,
            kind,
            message,
            longrepr,
        }
    }
}

#[cfg(test)]
mod cases {
    use super::*;
    use crate::guest::bindings::events::{TestEnd, Verdict};
    use crate::watch::testing;
    use std::collections::BTreeMap;

    fn table(events: impl IntoIterator<Item = Event>) -> Table {
        let mut table = Table::default();
        for (seq, event) in events.into_iter().enumerate() {
            table.take(Envelope {
                seq: seq as u64,
                time: 1000.0 + seq as f64,
                worker: None,
                event,
            });
        }
        table
    }

    fn ended(nodeid: &str, attempt: u32, verdict: Verdict) -> Event {
        Event::TestFinished(TestEnd {
            nodeid: nodeid.into(),
            attempt,
            verdict,
            duration: 0.5,
        })
    }

    fn shown(page: &Tests) -> Vec<(String, u32, &'static str)> {
        let tests = page.tests.iter();
        tests
            .map(|test| (test.nodeid.clone(), test.attempt, test.outcome))
            .collect()
    }

    fn story() -> Table {
        let mut events: Vec<Event> = testing::collected(4).into_iter().collect();
        events.extend([
            Event::TestStarted(("t.py::test_0".into(), 1)),
            testing::failed("t.py::test_0", Phase::Call, "AssertionError", "Boom"),
            ended("t.py::test_0", 1, Verdict::Rerun),
            Event::TestStarted(("t.py::test_0".into(), 2)),
            ended("t.py::test_0", 2, Verdict::Passed),
            Event::TestStarted(("t.py::test_1".into(), 1)),
            Event::NotRun(("t.py::test_3".into(), "maxfail".into())),
            ended("other.py::late", 1, Verdict::Skipped),
        ]);
        table(events)
    }

    #[test]
    fn a_table_has_each_try_of_each_test() {
        let page = story().page(&Which::default());
        let tests: BTreeMap<_, _> = shown(&page)
            .into_iter()
            .map(|(nodeid, attempt, outcome)| ((nodeid, attempt), outcome))
            .collect();
        let expected = [
            (("other.py::late".to_owned(), 1), "skipped"),
            (("t.py::test_0".to_owned(), 1), "rerun"),
            (("t.py::test_0".to_owned(), 2), "passed"),
            (("t.py::test_1".to_owned(), 1), "running"),
            (("t.py::test_2".to_owned(), 1), "waiting"),
            (("t.py::test_3".to_owned(), 1), "not-run"),
        ];
        assert_eq!(tests, BTreeMap::from(expected));
        assert_eq!((page.total, page.next), (6, None));
        assert_eq!(page.tests[0].failures[0].message, "Boom");
    }

    #[test]
    fn pages_and_filters() {
        let table = story();
        let page = |which| shown(&table.page(&which)).len();
        let failed = Which {
            text: Some("BOOM".into()),
            ..Which::default()
        };
        assert_eq!(page(failed), 1);
        let outcomes = Which {
            outcome: Some("passed, running".into()),
            ..Which::default()
        };
        assert_eq!(page(outcomes), 2);
        let mut seen = Vec::new();
        let mut from = Some(0);
        while let Some(start) = from {
            let page = table.page(&Which {
                from: start,
                limit: Some(4),
                ..Which::default()
            });
            seen.extend(shown(&page));
            from = page.next;
        }
        assert_eq!(seen, shown(&table.page(&Which::default())));
    }
}
