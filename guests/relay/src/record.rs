//! What a report says of its test: a category, and texts for people.

use pytest_host_sdk::events::{self, Outcome, Report};

use crate::message::{Category, Phase, Severity};

/// What a report adds to its test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub category: Option<Category>,
    pub texts: Vec<(Severity, String)>,
}

impl Reading {
    pub fn of(report: &Report) -> Self {
        let found = match &report.outcome {
            Outcome::Passed => Self::passed(report),
            Outcome::Skipped => match &report.xfail_reason {
                Some(reason) => Self::xfailed(report, reason),
                None => Self::skipped(report),
            },
            Outcome::Failed => Self::failed(report),
            // It may yet pass, and then it passed with a warning.
            Outcome::Rerun => Self {
                category: None,
                texts: vec![(Severity::Warning, longrepr(report))],
            },
            Outcome::Other(_) if report.failure.is_some() => Self::failed(report),
            Outcome::Other(_) => Self::passed(report),
        };
        match found.category {
            // Of subtests the test's own report says only how many failed.
            Some(category) if report.subtest.is_some() && !category.is_failure() => Self::default(),
            _ => found,
        }
    }

    fn passed(report: &Report) -> Self {
        let category = match (report.phase, &report.xfail_reason) {
            (events::Phase::Call, Some(_)) => Some(Category::Xpassed),
            (events::Phase::Call, None) => Some(Category::Passed),
            _ => None,
        };
        Self {
            category,
            texts: vec![],
        }
    }

    fn failed(report: &Report) -> Self {
        let category = match report.phase {
            events::Phase::Call => Category::Failed,
            events::Phase::Setup | events::Phase::Teardown => Category::Error,
        };
        Self {
            category: Some(category),
            texts: vec![(Severity::Error, longrepr(report))],
        }
    }

    fn skipped(report: &Report) -> Self {
        let reason = report.failure.as_ref().map_or("", |f| f.message.as_str());
        Self {
            category: Some(Category::Skipped),
            texts: vec![(Severity::Info, format!("Skipped: {reason}"))],
        }
    }

    fn xfailed(report: &Report, reason: &str) -> Self {
        // Where it was not run, what pytest raised shows nothing.
        let failure = report.failure.as_ref();
        let failure = failure.filter(|_| !reason.starts_with("[NOTRUN]"));
        let shown = failure.map(|failure| (Severity::Debug, failure.longrepr.clone()));
        let said = (!reason.is_empty()).then(|| (Severity::Info, format!("XFAIL({reason})")));
        Self {
            category: Some(Category::Xfailed),
            texts: shown.into_iter().chain(said).collect(),
        }
    }
}

pub fn phase(phase: events::Phase) -> Phase {
    match phase {
        events::Phase::Setup => Phase::Setup,
        events::Phase::Call => Phase::Call,
        events::Phase::Teardown => Phase::Teardown,
    }
}

/// Where a warning was seen.
pub fn stage(stage: &str) -> Phase {
    match stage {
        "config" => Phase::Config,
        "collect" => Phase::Collect,
        _ => Phase::Call,
    }
}

/// What pytest says of a report.
fn longrepr(report: &Report) -> String {
    match (&report.failure, &report.xfail_reason) {
        (Some(failure), _) => failure.longrepr.clone(),
        // A strict xfail that passed: nothing was raised.
        (None, Some(reason)) => format!("[XPASS(strict)] {reason}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use pytest_host_sdk::samples::report;

    use super::*;
    use crate::workbench::failure;

    type Texts = Vec<(Severity, String)>;

    fn read(report: &Report) -> (Option<Category>, Texts) {
        let Reading { category, texts } = Reading::of(report);
        (category, texts)
    }

    fn with(outcome: Outcome, phase: events::Phase, xfail: Option<&str>) -> Report {
        Report {
            failure: Some(failure("why", "E   why")),
            xfail_reason: xfail.map(str::to_owned),
            ..report("t.py::a", phase, outcome)
        }
    }

    #[test]
    fn only_a_call_can_pass() {
        let passed = |phase| read(&report("t.py::a", phase, Outcome::Passed));
        assert_eq!(passed(events::Phase::Setup), (None, vec![]));
        assert_eq!(
            passed(events::Phase::Call),
            (Some(Category::Passed), vec![])
        );
        assert_eq!(passed(events::Phase::Teardown), (None, vec![]));
    }

    #[test]
    fn failures_of_setup_and_teardown_are_errors() {
        for (phase, category) in [
            (events::Phase::Setup, Category::Error),
            (events::Phase::Call, Category::Failed),
            (events::Phase::Teardown, Category::Error),
        ] {
            let (found, texts) = read(&with(Outcome::Failed, phase, None));
            assert_eq!(found, Some(category));
            assert_eq!(texts, [(Severity::Error, "E   why".to_owned())]);
        }
    }

    #[test]
    fn skips_and_expected_failures_have_their_reasons() {
        let call = events::Phase::Call;
        assert_eq!(
            read(&with(Outcome::Skipped, call, None)),
            (
                Some(Category::Skipped),
                vec![(Severity::Info, "Skipped: why".into())]
            )
        );
        let shown = (Severity::Debug, "E   why".to_owned());
        let xfailed = |reason| read(&with(Outcome::Skipped, call, Some(reason)));
        let said = |text: &str| (Severity::Info, text.to_owned());
        assert_eq!(
            xfailed("bug"),
            (
                Some(Category::Xfailed),
                vec![shown.clone(), said("XFAIL(bug)")]
            )
        );
        assert_eq!(xfailed(""), (Some(Category::Xfailed), vec![shown]));
        assert_eq!(
            xfailed("[NOTRUN] bug"),
            (Some(Category::Xfailed), vec![said("XFAIL([NOTRUN] bug)")])
        );
    }

    #[test]
    fn an_unexpected_pass_is_one_or_a_failure() {
        let report = |outcome| Report {
            xfail_reason: Some("bug".into()),
            ..report("t.py::a", events::Phase::Call, outcome)
        };
        assert_eq!(
            read(&report(Outcome::Passed)),
            (Some(Category::Xpassed), vec![])
        );
        assert_eq!(
            read(&report(Outcome::Failed)),
            (
                Some(Category::Failed),
                vec![(Severity::Error, "[XPASS(strict)] bug".into())]
            )
        );
    }

    #[test]
    fn of_subtests_those_that_fail_are_told() {
        let subtest = |outcome| Report {
            subtest: Some("[m]".into()),
            ..with(outcome, events::Phase::Call, None)
        };
        assert_eq!(read(&subtest(Outcome::Passed)), (None, vec![]));
        assert_eq!(read(&subtest(Outcome::Skipped)), (None, vec![]));
        assert_eq!(read(&subtest(Outcome::Failed)).0, Some(Category::Failed));
    }

    #[test]
    fn an_attempt_that_is_run_again_is_a_warning() {
        assert_eq!(
            read(&with(Outcome::Rerun, events::Phase::Call, None)),
            (None, vec![(Severity::Warning, "E   why".into())])
        );
    }
}
