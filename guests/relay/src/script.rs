//! What an event comes to: none, one or several messages.

use pytest_host_sdk::{
    Envelope, Event, Session,
    delivery::Lane,
    events::{Report, SessionEnd, TestEnd, Verdict, Warning},
    state::State,
};

use crate::{
    cases::{Case, Cases},
    ids::Ids,
    message::{Category, Config, Phase, Record, Severity, State as Stage},
    record::{Reading, phase, stage},
    settings::Settings,
    suite::Suite,
    text::Writing,
};

/// A message about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub json: String,
    /// One that follows at once says all that this one says.
    pub passing: bool,
}

impl Line {
    fn new(json: String) -> Self {
        Self {
            json,
            passing: false,
        }
    }
}

#[derive(Debug)]
pub struct Script<S> {
    session: Session,
    ids: Ids,
    writing: Writing,
    /// The run collects tests and does not run them.
    only_collects: bool,
    suite: Suite<S>,
    cases: Cases<S>,
}

impl<S: State + Clone> Script<S> {
    pub fn new(settings: &Settings, session: Session, state: S) -> Self {
        let ids = Ids::new(&session, settings.session_id.clone());
        let collects = |arg: &String| arg == "--collect-only" || arg == "--co";
        Self {
            suite: Suite::new(state.clone(), ids.session.clone(), Config::of(&session)),
            cases: Cases::new(state),
            writing: Writing::new(&session, settings.strip_paths),
            only_collects: session.args.iter().any(collects),
            ids,
            session,
        }
    }

    /// Takes note of what an event says of the session, whatever becomes of its messages. Answers with what is to
    /// be logged.
    pub fn learn(&mut self, envelope: &Envelope) -> Option<String> {
        match &envelope.event {
            Event::Collected(tests) => {
                self.suite.announce(tests);
                None
            }
            Event::CollectionFinished(_) => self.suite.complete(self.writing.time(envelope.time)),
            Event::CollectFailed((nodeid, failure)) => {
                let record = self.record(
                    envelope,
                    1,
                    (Severity::Error, Phase::Collect),
                    &failure.longrepr,
                    Some(nodeid.clone()),
                );
                self.suite.learn(envelope.seq, record)
            }
            Event::Warning(warning) if warning.nodeid.is_none() && self.is_news(warning) => {
                let record = self.warning(envelope, warning);
                self.suite.learn(envelope.seq, record)
            }
            Event::Interrupted(why) => {
                self.suite.interrupt(why);
                None
            }
            Event::TestStarted((nodeid, _)) => {
                let lane = Lane::new(&self.session, envelope, nodeid);
                self.cases.number(&lane);
                None
            }
            _ => None,
        }
    }

    /// What leaves for an event.
    pub fn tell(&mut self, envelope: &Envelope) -> Vec<Line> {
        match &envelope.event {
            Event::CollectionFinished(_) => self.opening(envelope.seq),
            Event::CollectFailed(_) => self.changed(envelope.seq),
            Event::Warning(warning) => match &warning.nodeid {
                Some(nodeid) => self.test_warned(envelope, warning, nodeid),
                None => self.changed(envelope.seq),
            },
            Event::TestStarted((nodeid, _)) => self.started(envelope, nodeid, envelope.time),
            Event::PhaseFinished(report) => self.reported(envelope, report),
            Event::TestFinished(end) => self.ended(envelope, end),
            Event::SessionFinished(end) => self.finale(envelope, end),
            _ => vec![],
        }
    }

    /// That the session is there, where that was not told.
    fn opening(&mut self, seq: u64) -> Vec<Line> {
        if std::mem::replace(&mut self.suite.told().opened, true) {
            return vec![];
        }
        let stage = if self.only_collects {
            Stage::Done
        } else {
            Stage::Open
        };
        vec![self.suite_line(stage, seq)]
    }

    /// And that it runs.
    fn running(&mut self, seq: u64) -> Vec<Line> {
        let mut lines = self.opening(seq);
        if !std::mem::replace(&mut self.suite.told().running, true) {
            lines.push(self.suite_line(Stage::InProgress, seq));
        }
        lines
    }

    /// The session has a new record; before it was told of there is nothing to add to.
    fn changed(&mut self, seq: u64) -> Vec<Line> {
        let told = *self.suite.told();
        let id = self.ids.record(seq, 1);
        if !told.opened || !self.suite.has_record(|record| record.id == id) {
            return vec![];
        }
        let stage = match told.running {
            _ if self.only_collects => Stage::Done,
            true => Stage::InProgress,
            false => Stage::Open,
        };
        let line = self.suite_line(stage, seq);
        vec![Line {
            passing: true,
            ..line
        }]
    }

    fn suite_line(&self, stage: Stage, seq: u64) -> Line {
        Line::new(self.suite.message(stage, &self.suite.records(seq), None))
    }

    fn started(&mut self, envelope: &Envelope, nodeid: &str, time: f64) -> Vec<Line> {
        let lane = Lane::new(&self.session, envelope, nodeid);
        let Some(case) = self.cases.start(&lane, || self.writing.time(time)) else {
            return vec![];
        };
        let line = Line::new(case.message(&self.ids.session));
        let mut lines = self.running(envelope.seq);
        lines.push(line);
        lines
    }

    fn reported(&mut self, envelope: &Envelope, report: &Report) -> Vec<Line> {
        let Reading { category, texts } = Reading::of(report);
        if category.is_none() && texts.is_empty() {
            return vec![];
        }
        let what = (phase(report.phase), envelope);
        let records: Vec<Record> = (1..)
            .zip(texts)
            .map(|(part, (severity, text))| {
                let (phase, envelope) = what;
                let mut record = self.record(envelope, part, (severity, phase), &text, None);
                record.time = self.writing.time(report.stop);
                record
            })
            .collect();
        // Where the word that it started was lost.
        let mut lines = self.started(envelope, &report.nodeid, report.start);
        lines.extend(self.change(envelope, &report.nodeid, |case| {
            records.into_iter().for_each(|record| case.add(record));
            if let Some(category) = category {
                case.turn(category);
            }
        }));
        lines
    }

    fn ended(&mut self, envelope: &Envelope, end: &TestEnd) -> Vec<Line> {
        // Of those that the end of the session ends, it is told then, and of those that begin again when they have.
        if matches!(end.verdict, Verdict::Interrupted | Verdict::Rerun) {
            return vec![];
        }
        let lane = Lane::new(&self.session, envelope, &end.nodeid);
        let lost = match self.cases.get(&lane) {
            Some(case) if case.has_ended() => return vec![],
            Some(case) => end.verdict == Verdict::Crashed && !case.has_result(),
            None => return vec![],
        };
        let text = format!("pytest ended while running '{}'", end.nodeid);
        let what = (Severity::Error, Phase::Call);
        let record = lost.then(|| self.record(envelope, 1, what, &text, None));
        let time = self.writing.time(envelope.time);
        self.change(envelope, &end.nodeid, |case| {
            if let Some(record) = record {
                case.add(record);
                case.turn(Category::Failed);
            }
            case.stop(time);
        })
    }

    fn test_warned(&mut self, envelope: &Envelope, warning: &Warning, nodeid: &str) -> Vec<Line> {
        let mut record = self.warning(envelope, warning);
        let lane = Lane::new(&self.session, envelope, nodeid);
        if self.cases.get(&lane).is_some() {
            return self.change(envelope, nodeid, |case| case.add(record));
        }
        // It is not known any more, or never was.
        record.source = Some(nodeid.to_owned());
        self.suite.learn(envelope.seq, record);
        self.changed(envelope.seq)
    }

    fn change(
        &mut self,
        envelope: &Envelope,
        nodeid: &str,
        change: impl FnOnce(&mut Case),
    ) -> Vec<Line> {
        let lane = Lane::new(&self.session, envelope, nodeid);
        let Some(case) = self.cases.change(&lane) else {
            return vec![];
        };
        change(case);
        vec![Line::new(case.message(&self.ids.session))]
    }

    /// The end: of tests that have none yet, and of the session.
    fn finale(&mut self, envelope: &Envelope, end: &SessionEnd) -> Vec<Line> {
        let mut lines = self.opening(envelope.seq);
        let interrupted = self.suite.interruption().map(exception);
        let runs = !self.only_collects && end.exitstatus != Some(USAGE);
        if runs {
            lines.extend(self.running(envelope.seq));
        }
        let mut records = self.suite.records(envelope.seq);
        let time = self.writing.time(envelope.time);
        let text = interrupted.clone().unwrap_or_else(|| {
            let why = end.reason.as_deref();
            why.unwrap_or("the run ended while this test ran")
                .to_owned()
        });
        let what = (Severity::Error, Phase::Teardown);
        let cut_off = self.record(envelope, 1, what, &format!("E   {text}"), None);
        lines.extend(self.unfinished(&cut_off, interrupted.is_some()));
        if interrupted.is_some() {
            records.push(cut_off);
            let stage = if runs { Stage::InProgress } else { Stage::Done };
            lines.push(Line::new(self.suite.message(stage, &records, None)));
        }
        if let Some(text) = farewell(end.exitstatus) {
            let what = (Severity::Debug, Phase::Teardown);
            records.push(self.record(envelope, 2, what, &text, Some("pytest".to_owned())));
        }
        self.see_yellow();
        let color = self.suite.result(end.exitstatus, &records);
        let stop = runs.then_some(time.as_str());
        let last = self
            .suite
            .message(Stage::Done, &records, Some((stop, color)));
        lines.push(Line::new(last));
        lines
    }

    /// Tests that have not ended; where the session was interrupted, all others as well, as long as they are few.
    fn unfinished(&mut self, cut_off: &Record, interrupted: bool) -> Vec<Line> {
        let mut cases = self.cases.open();
        for case in &mut cases {
            case.add(cut_off.clone());
            case.turn(Category::Failed);
            case.stop(cut_off.time.clone());
        }
        if interrupted {
            cases.extend(self.cases.all_ended());
            cases.sort_unstable_by_key(Case::idx);
        }
        let lines = cases.iter().map(|case| case.message(&self.ids.session));
        lines.map(Line::new).collect()
    }

    /// xdist's workers all see the same warnings where they collect.
    fn is_news(&self, warning: &Warning) -> bool {
        let text = self.writing.record(&self.writing.warning(warning));
        self.session.dist.is_none() || !self.suite.has_record(|record| record.msg == text)
    }

    fn warning(&self, envelope: &Envelope, warning: &Warning) -> Record {
        let what = (Severity::Warning, stage(&warning.stage));
        self.record(envelope, 1, what, &self.writing.warning(warning), None)
    }

    fn record(
        &self,
        envelope: &Envelope,
        part: usize,
        (severity, phase): (Severity, Phase),
        text: &str,
        source: Option<String>,
    ) -> Record {
        Record {
            id: self.ids.record(envelope.seq, part),
            time: self.writing.time(envelope.time),
            severity,
            phase,
            msg: self.writing.record(text),
            source,
        }
    }

    fn see_yellow(&mut self) {
        if self.cases.has_new_yellow() {
            self.suite.told().yellow = true;
        }
    }

    /// What was told has arrived.
    pub fn commit(&mut self) {
        self.see_yellow();
        self.cases.commit();
        self.suite.commit();
    }

    /// What was told has not arrived.
    pub fn rollback(&mut self) {
        self.suite.rollback();
        self.cases.rollback();
    }

    /// Writes down what changed.
    pub fn save(&mut self) {
        self.suite.save();
        self.cases.save();
    }
}

/// Whether an event may have messages, or has a part in those that follow.
pub fn comes_to_something(event: &Event) -> bool {
    matches!(
        event,
        Event::CollectFailed(_)
            | Event::CollectionFinished(_)
            | Event::TestStarted(_)
            | Event::PhaseFinished(_)
            | Event::TestFinished(_)
            | Event::Warning(_)
            | Event::SessionFinished(_)
    )
}

const INTERRUPTED: i32 = 2;
const INTERNAL: i32 = 3;
const USAGE: i32 = 4;
const NO_TESTS: i32 = 5;

/// What pytest was interrupted by, as Python names it.
fn exception(interruption: &str) -> String {
    match interruption.strip_prefix("exit: ") {
        Some(why) => format!("_pytest.outcomes.Exit: {why}"),
        None if interruption == "KeyboardInterrupt" => interruption.to_owned(),
        None => format!("Interrupted: {interruption}"),
    }
}

/// What is said of an exit status that is not that of a run to its end.
fn farewell(exitstatus: Option<i32>) -> Option<String> {
    let text = match exitstatus {
        Some(0 | 1) => return None,
        Some(INTERRUPTED) => "pytest execution interrupted",
        Some(INTERNAL) => "pytest encountered an internal error",
        Some(USAGE) => "pytest invocation (usage) error encountered",
        Some(NO_TESTS) => "pytest couldn't find any tests",
        Some(other) => {
            return Some(format!(
                "pytest execution failed with the exit status {other}"
            ));
        }
        None => "pytest ended without an exit status",
    };
    Some(text.to_owned())
}
