//! What is known of the session: its tests, its records, and how far it came.
//!
//! What is learnt of it is learnt once, whether it can be told at once or not. What was told is taken back where
//! it did not arrive.

use pytest_host_sdk::{events::Test, state::State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::message::{
    Color, Config, Message, Record, Severity, State as Stage, Suite as Payload, has,
};

/// Bytes of node ids. All of them are in each message of the session, which has to fit a sink's memory.
const TESTS: usize = 6 << 20;
/// Bytes of the session's records, likewise.
const RECORDS: usize = 1 << 20;
const PROGRESS: &str = "suite";

/// What may be asked of a session that was told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// That it is there.
    pub opened: bool,
    /// That it runs tests.
    pub running: bool,
    /// That one of its tests is yellow.
    pub yellow: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    told: Told,
    /// How many lists of tests are kept.
    lists: usize,
    bytes: usize,
    tests: u64,
    left_out: u64,
    records: usize,
    record_bytes: usize,
    /// When all tests were known.
    collected: Option<String>,
    interruption: Option<String>,
}

#[derive(Debug)]
pub struct Suite<S> {
    state: S,
    id: String,
    config: Config,
    /// Each with the event that it came with, in their order.
    records: Vec<(u64, Record)>,
    progress: Progress,
    /// As it is in the state.
    saved: Progress,
    /// As of what has arrived.
    arrived: Told,
}

impl<S: State> Suite<S> {
    /// Goes on where an instance before this one left off.
    pub fn new(state: S, id: String, config: Config) -> Self {
        let stored = state.get(PROGRESS);
        let progress: Progress = stored
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        let records = (0..progress.records).filter_map(|index| state.get(&record_key(index)));
        let records = records.filter_map(|json| serde_json::from_slice(&json).ok());
        let mut records: Vec<(u64, Record)> = records.collect();
        records.sort_by_key(|(seq, _)| *seq);
        Self {
            id,
            config,
            records,
            saved: progress.clone(),
            arrived: progress.told,
            progress,
            state,
        }
    }

    pub fn told(&mut self) -> &mut Told {
        &mut self.progress.told
    }

    pub fn interruption(&self) -> Option<&str> {
        self.progress.interruption.as_deref()
    }

    pub fn interrupt(&mut self, text: &str) {
        self.progress.interruption = Some(text.to_owned());
    }

    /// The records of events up to and including this one.
    pub fn records(&self, seq: u64) -> Vec<Record> {
        let known = self.records.iter().take_while(|(of, _)| *of <= seq);
        known.map(|(_, record)| record.clone()).collect()
    }

    pub fn has_record(&self, is_it: impl Fn(&Record) -> bool) -> bool {
        self.records.iter().any(|(_, record)| is_it(record))
    }

    /// Keeps tests, as long as it is not settled which there are.
    pub fn announce(&mut self, tests: &[Test]) {
        if self.progress.collected.is_some() {
            return;
        }
        let mut list = String::new();
        for test in tests {
            let name = serde_json::to_string(&test.nodeid).unwrap_or_default();
            // Once one is left out, so are all that follow: what is there is in order.
            if self.progress.left_out > 0 || self.progress.bytes + name.len() > TESTS {
                self.progress.left_out += 1;
                continue;
            }
            if self.progress.tests > 0 {
                list.push(',');
            }
            list.push_str(&name);
            self.progress.tests += 1;
            self.progress.bytes += name.len() + 1;
        }
        if !list.is_empty() {
            self.state
                .set(&list_key(self.progress.lists), list.as_bytes());
            self.progress.lists += 1;
        }
    }

    /// All tests are known, if they were not before; says what is to be said of them.
    pub fn complete(&mut self, time: String) -> Option<String> {
        if self.progress.collected.is_some() {
            return None;
        }
        self.progress.collected = Some(time);
        let Progress {
            tests, left_out, ..
        } = self.progress;
        let all = tests + left_out;
        (left_out > 0)
            .then(|| format!("session.tests has {tests} of {all} tests: there is no room for more"))
    }

    /// Adds a record, unless it was known; says what is to be said of it.
    pub fn learn(&mut self, seq: u64, record: Record) -> Option<String> {
        if self.has_record(|known| known.id == record.id) {
            return None;
        }
        let json = serde_json::to_vec(&(seq, &record)).unwrap_or_default();
        if self.progress.record_bytes + json.len() > RECORDS {
            return Some(format!(
                "a record of the session is left out, there is no room for more: {}",
                record.msg
            ));
        }
        self.state.set(&record_key(self.progress.records), &json);
        self.progress.records += 1;
        self.progress.record_bytes += json.len();
        let place = self.records.partition_point(|(of, _)| *of <= seq);
        self.records.insert(place, (seq, record));
        None
    }

    /// The session as it is now, with `records` in place of its own, and at its end with when and how it ended.
    pub fn message(
        &self,
        state: Stage,
        records: &[Record],
        end: Option<(Option<&str>, Color)>,
    ) -> String {
        let started = self.progress.told.running;
        let started = self.progress.collected.as_deref().filter(|_| started);
        Message::Session(Payload {
            id: &self.id,
            records,
            tests: self.tests(),
            time_start: started,
            time_stop: end.and_then(|(time, _)| time),
            result: end.map(|(_, color)| color),
            config: &self.config,
            state,
        })
        .json()
    }

    /// What the session comes to, with its last records.
    pub fn result(&self, exitstatus: Option<i32>, records: &[Record]) -> Color {
        if exitstatus != Some(0) || has(records, Severity::Error) {
            Color::Red
        } else if self.progress.told.yellow || has(records, Severity::Warning) {
            Color::Yellow
        } else {
            Color::Green
        }
    }

    fn tests(&self) -> Box<RawValue> {
        let mut all = String::with_capacity(self.progress.bytes + 2);
        all.push('[');
        for list in (0..self.progress.lists).filter_map(|list| self.state.get(&list_key(list))) {
            all.push_str(&String::from_utf8_lossy(&list));
        }
        all.push(']');
        RawValue::from_string(all).unwrap_or_default()
    }

    pub fn commit(&mut self) {
        self.arrived = self.progress.told;
    }

    pub fn rollback(&mut self) {
        self.progress.told = self.arrived;
    }

    /// Writes down what changed.
    pub fn save(&mut self) {
        if self.progress != self.saved
            && let Ok(json) = serde_json::to_vec(&self.progress)
        {
            self.state.set(PROGRESS, &json);
            self.saved = self.progress.clone();
        }
    }
}

fn list_key(index: usize) -> String {
    format!("tests\n{index}")
}

fn record_key(index: usize) -> String {
    format!("record\n{index}")
}
