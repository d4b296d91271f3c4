//! What is known of tests under way, and of those that ended last: a warning may come behind a test's end, and a
//! session that is interrupted tells of all its tests again.
//!
//! Each test has a value of its own in the sink's state, so what an event costs does not grow with their number.
//! What was told is taken back where it did not arrive.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use pytest_host_sdk::{delivery::Lane, state::State};
use serde::{Deserialize, Serialize};

use crate::message::{Category, Color, Message, Record, State as Stage, Testcase, color};

/// How many tests that have ended are kept.
pub const KEPT: u64 = 100;
/// Bytes of one of them, at most: all of them have to fit a sink's state.
const KEPT_BYTES: usize = 64 << 10;
/// Bytes of the texts of one test, which each of its messages has.
const TEXTS: usize = 512 << 10;
const HEADER: &str = "cases";

/// A test, as it was told last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    idx: u32,
    name: String,
    started: String,
    stopped: Option<String>,
    category: Option<Category>,
    records: Vec<Record>,
    /// Which of those that ended it is.
    end: Option<u64>,
}

impl Case {
    fn new(idx: u32, name: &str, started: String) -> Self {
        Self {
            idx,
            name: name.to_owned(),
            started,
            stopped: None,
            category: None,
            records: vec![],
            end: None,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.stopped.is_some()
    }

    pub fn idx(&self) -> u32 {
        self.idx
    }

    pub fn stop(&mut self, time: String) {
        self.stopped = Some(time);
    }

    /// Takes on a category: where it has none, and a failure in place of a success.
    pub fn turn(&mut self, category: Category) {
        let failed = self.category.is_some_and(Category::is_failure);
        if self.category.is_none() || (!failed && category.is_failure()) {
            self.category = Some(category);
        }
    }

    /// Adds a record, cut to what there is room for.
    pub fn add(&mut self, mut record: Record) {
        let used: usize = self.records.iter().map(|record| record.msg.len()).sum();
        let room = TEXTS.saturating_sub(used);
        if record.msg.len() > room {
            let whole = record.msg.len();
            record.msg.truncate(record.msg.floor_char_boundary(room));
            record
                .msg
                .push_str(&format!("\n[cut: {whole} bytes in all]"));
        }
        self.records.push(record);
    }

    pub fn has_result(&self) -> bool {
        self.category.is_some()
    }

    fn color(&self) -> Option<Color> {
        self.category.map(|category| color(category, &self.records))
    }

    pub fn message(&self, session_id: &str) -> String {
        Message::Testcase(Testcase {
            session_id,
            idx: self.idx,
            name: &self.name,
            time_start: &self.started,
            time_stop: self.stopped.as_deref(),
            category: self.category,
            records: &self.records,
            state: if self.has_ended() {
                Stage::Done
            } else {
                Stage::InProgress
            },
            result: self.color(),
        })
        .json()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// How many tests have started.
    started: u32,
    /// How many have ended.
    ended: u64,
    /// Whether some that ended are not kept.
    forgotten: bool,
    /// How many have a number and were not told of.
    numbered: usize,
    /// Those that have not ended.
    open: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Cases<S> {
    state: S,
    known: HashMap<String, Case>,
    header: Header,
    /// As it is in the state.
    saved: Header,
    /// Those that ended last, oldest first.
    ended: VecDeque<String>,
    /// As it was before what has yet to arrive.
    before: BTreeMap<String, Option<Case>>,
    /// Of tests that have started and were not told of.
    numbers: HashMap<String, u32>,
    /// Those of them that the state does not have yet.
    new_numbers: Vec<String>,
}

impl<S: State> Cases<S> {
    /// Goes on where an instance before this one left off.
    pub fn new(state: S) -> Self {
        let stored = state.get(HEADER);
        let header: Header = stored
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        let mut known = HashMap::new();
        let mut ended = VecDeque::new();
        for end in header.ended.saturating_sub(KEPT)..header.ended {
            let stored = state.get(&end_key(end));
            let found =
                stored.and_then(|json| serde_json::from_slice::<(String, Case)>(&json).ok());
            let Some((lane, case)) = found.filter(|(_, case)| case.end == Some(end)) else {
                // It was too large; its place is kept.
                ended.push_back(String::new());
                continue;
            };
            ended.push_back(lane.clone());
            known.insert(lane, case);
        }
        for lane in &header.open {
            let stored = state.get(&case_key(lane));
            if let Some(case) = stored.and_then(|json| serde_json::from_slice(&json).ok()) {
                known.insert(lane.clone(), case);
            }
        }
        Self {
            saved: header.clone(),
            header,
            known,
            ended,
            before: BTreeMap::new(),
            numbers: HashMap::new(),
            new_numbers: vec![],
            state,
        }
    }

    /// Gives a test that begins its number, before anything is told: the order is that of the starts, whatever
    /// is delivered first.
    pub fn number(&mut self, lane: &Lane) {
        let lane = key(lane);
        if !self.numbers.contains_key(&lane) && !self.is_open(&lane) {
            let idx = self.next_number(&lane);
            self.numbers.insert(lane, idx);
        }
    }

    /// A test begins, unless it has: then this is another attempt of it. Tells which it is.
    pub fn start(&mut self, lane: &Lane, time: impl FnOnce() -> String) -> Option<&Case> {
        let lane_key = key(lane);
        if self.is_open(&lane_key) {
            return None;
        }
        self.remember(&lane_key);
        let number = self.numbers.remove(&lane_key);
        let idx = number.unwrap_or_else(|| self.next_number(&lane_key));
        let case = Case::new(idx, &lane.nodeid, time());
        self.known.insert(lane_key.clone(), case);
        self.known.get(&lane_key)
    }

    fn is_open(&self, lane: &str) -> bool {
        self.known.get(lane).is_some_and(|case| !case.has_ended())
    }

    /// The number that a test was given before, or the next one.
    fn next_number(&mut self, lane: &str) -> u32 {
        if let Some(idx) = self.kept_number(lane) {
            return idx;
        }
        self.new_numbers.push(lane.to_owned());
        self.header.started += 1;
        self.header.started - 1
    }

    /// A test that is known, to be changed.
    pub fn change(&mut self, lane: &Lane) -> Option<&mut Case> {
        let lane = key(lane);
        self.remember(&lane);
        self.known.get_mut(&lane)
    }

    pub fn get(&self, lane: &Lane) -> Option<&Case> {
        self.known.get(&key(lane))
    }

    /// Whether one of those that have yet to arrive is yellow.
    pub fn has_new_yellow(&self) -> bool {
        let mut new = self.before.keys().filter_map(|lane| self.known.get(lane));
        new.any(|case| case.has_ended() && case.color() == Some(Color::Yellow))
    }

    /// Copies of all that have not ended, by number.
    pub fn open(&self) -> Vec<Case> {
        sorted(self.known.values().filter(|case| !case.has_ended()))
    }

    /// Copies of all that have ended, by number, where none is forgotten.
    pub fn all_ended(&self) -> Vec<Case> {
        if self.header.forgotten {
            return vec![];
        }
        sorted(self.known.values().filter(|case| case.has_ended()))
    }

    /// What was told has arrived.
    pub fn commit(&mut self) {
        for lane in std::mem::take(&mut self.before).into_keys() {
            self.forget_number(&lane);
            let Some(case) = self.known.get_mut(&lane) else {
                continue;
            };
            if !case.has_ended() {
                if let Ok(json) = serde_json::to_vec(case) {
                    self.state.set(&case_key(&lane), &json);
                }
                self.header.open.insert(lane);
                continue;
            }
            if self.header.open.remove(&lane) {
                self.state.delete(&case_key(&lane));
            }
            let is_new = case.end.is_none();
            let end = *case.end.get_or_insert(self.header.ended);
            if is_new {
                self.header.ended += 1;
                self.ended.push_back(lane.clone());
            }
            match serde_json::to_vec(&(&lane, &*case)) {
                Ok(json) if json.len() <= KEPT_BYTES => self.state.set(&end_key(end), &json),
                _ => {
                    self.state.delete(&end_key(end));
                    self.known.remove(&lane);
                    self.header.forgotten = true;
                }
            }
        }
        while self.header.ended - self.oldest() > KEPT {
            self.forget_oldest();
        }
    }

    /// What was told has not arrived.
    pub fn rollback(&mut self) {
        for (lane, before) in std::mem::take(&mut self.before) {
            let number = before.as_ref().map(Case::idx);
            let told = match before {
                Some(case) => self.known.insert(lane.clone(), case),
                None => self.known.remove(&lane),
            };
            if let Some(told) = told.filter(|told| number != Some(told.idx)) {
                self.numbers.insert(lane, told.idx);
            }
        }
    }

    /// Writes down what changed.
    pub fn save(&mut self) {
        for lane in std::mem::take(&mut self.new_numbers) {
            if let Some(idx) = self.numbers.get(&lane) {
                self.state.set(&idx_key(&lane), &idx.to_be_bytes());
                self.header.numbered += 1;
            }
        }
        if self.header != self.saved
            && let Ok(json) = serde_json::to_vec(&self.header)
        {
            self.state.set(HEADER, &json);
            self.saved = self.header.clone();
        }
    }

    fn kept_number(&self, lane: &str) -> Option<u32> {
        if self.header.numbered == 0 {
            return None;
        }
        let stored = self.state.get(&idx_key(lane))?;
        Some(u32::from_be_bytes(stored.try_into().ok()?))
    }

    fn forget_number(&mut self, lane: &str) {
        if self.kept_number(lane).is_some() {
            self.state.delete(&idx_key(lane));
            self.header.numbered -= 1;
        }
    }

    fn remember(&mut self, lane: &str) {
        if !self.before.contains_key(lane) {
            self.before
                .insert(lane.to_owned(), self.known.get(lane).cloned());
        }
    }

    fn oldest(&self) -> u64 {
        self.header.ended - self.ended.len() as u64
    }

    fn forget_oldest(&mut self) {
        let oldest = self.oldest();
        let Some(lane) = self.ended.pop_front() else {
            return;
        };
        self.header.forgotten = true;
        // It may have begun anew.
        if self
            .known
            .get(&lane)
            .is_some_and(|case| case.end == Some(oldest))
        {
            self.known.remove(&lane);
        }
    }
}

fn sorted<'a>(cases: impl Iterator<Item = &'a Case>) -> Vec<Case> {
    let mut cases: Vec<Case> = cases.cloned().collect();
    cases.sort_unstable_by_key(|case| case.idx);
    cases
}

fn key(lane: &Lane) -> String {
    format!(
        "{}\n{}",
        lane.worker.as_deref().unwrap_or_default(),
        lane.nodeid
    )
}

fn case_key(lane: &str) -> String {
    format!("case\n{lane}")
}

fn idx_key(lane: &str) -> String {
    format!("idx\n{lane}")
}

/// Used again and again.
fn end_key(end: u64) -> String {
    format!("end\n{}", end % KEPT)
}
