//! Which tests run, and how often each did.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A test that runs, or ran: worker, node id, attempt.
pub type Run = (Option<String>, String, u32);

/// A process counts its own attempts at a test; a session counts those of all
/// processes. But for `--dist each`, where every worker's run is one of its own.
#[derive(Debug, Default)]
pub struct Attempts {
    /// `--dist each`.
    each: bool,
    /// The last attempt at each test; of a worker, where those count by themselves.
    last: HashMap<(Option<String>, String), u32>,
    /// From a process's number to the session's, where they differ.
    renumbered: HashMap<Run, u32>,
    /// Since when.
    running: BTreeMap<Run, f64>,
}

impl Attempts {
    /// How the session distributes its tests, once that is known.
    pub fn distribute(&mut self, dist: Option<&str>) {
        self.each = dist == Some("each");
    }

    fn key(&self, worker: Option<&str>, nodeid: &str) -> (Option<String>, String) {
        let worker = worker.filter(|_| self.each);
        (worker.map(str::to_owned), nodeid.to_owned())
    }

    /// A process starts its `own`th attempt; returns the session's number for it.
    pub fn start(&mut self, t: f64, worker: Option<String>, nodeid: String, own: u32) -> u32 {
        let key = self.key(worker.as_deref(), &nodeid);
        let last = self.last.entry(key).or_default();
        // Not simply one more, since the start before may have been lost.
        let attempt = own.max(last.saturating_add(1));
        *last = attempt;
        if attempt != own {
            let run = (worker.clone(), nodeid.clone(), own);
            self.renumbered.insert(run, attempt);
        }
        self.running.insert((worker, nodeid, attempt), t);
        attempt
    }

    /// The session's number of a process's `own`th attempt.
    pub fn number(&self, worker: Option<&str>, nodeid: &str, own: u32) -> u32 {
        if self.renumbered.is_empty() {
            return own;
        }
        let run = (worker.map(ToOwned::to_owned), nodeid.to_owned(), own);
        self.renumbered.get(&run).copied().unwrap_or(own)
    }

    /// An attempt ends; returns how long it took.
    pub fn end(&mut self, t: f64, worker: Option<String>, nodeid: String, attempt: u32) -> f64 {
        let start = self.running.remove(&(worker, nodeid, attempt));
        start.map_or(0.0, |start| lasted(start, t))
    }

    /// The attempt that a process is at, and since when.
    pub fn running(&self, worker: &str, nodeid: &str) -> Option<(u32, f64)> {
        let run = |attempt| (Some(worker.to_owned()), nodeid.to_owned(), attempt);
        let (key, start) = self.running.range(run(0)..=run(u32::MAX)).next_back()?;
        Some((key.2, *start))
    }

    /// The last attempt that counts together with those of `worker`, 0 where there was none.
    pub fn last(&self, worker: Option<&str>, nodeid: &str) -> u32 {
        let key = self.key(worker, nodeid);
        self.last.get(&key).copied().unwrap_or(0)
    }

    /// The tests that were started, by any process.
    pub fn started(&self) -> HashSet<&str> {
        let tests = self.last.keys();
        tests.map(|(_, nodeid)| nodeid.as_str()).collect()
    }

    /// What never ended, and since when it runs.
    pub fn take_running(&mut self) -> BTreeMap<Run, f64> {
        std::mem::take(&mut self.running)
    }
}

/// From `start` to `end`; 0 where no number says it, which JSON could not hold.
pub fn lasted(start: f64, end: f64) -> f64 {
    Some(end - start)
        .filter(|time| time.is_finite())
        .unwrap_or_default()
}

/// Builds up what a journal knows.
#[derive(Debug, Default)]
pub struct Recovery {
    attempts: Attempts,
    /// How often each process started each test.
    own: HashMap<(Option<String>, String), u32>,
}

impl Recovery {
    pub fn distribute(&mut self, dist: Option<&str>) {
        self.attempts.distribute(dist);
    }

    pub fn started(&mut self, t: f64, worker: Option<String>, nodeid: String, attempt: u32) {
        let own = self
            .own
            .entry((worker.clone(), nodeid.clone()))
            .and_modify(|own| *own += 1)
            // An attempt at what no other process tried has the same number in both.
            .or_insert_with(|| {
                if self.attempts.last(worker.as_deref(), &nodeid) > 0 {
                    1
                } else {
                    attempt
                }
            });
        self.attempts.start(t, worker, nodeid, *own);
    }

    pub fn ended(&mut self, worker: Option<String>, nodeid: String, attempt: u32) {
        self.attempts.end(0.0, worker, nodeid, attempt);
    }

    pub fn finish(self) -> Attempts {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gw(number: u32) -> Option<String> {
        Some(format!("gw{number}"))
    }

    fn start(attempts: &mut Attempts, worker: u32, own: u32) -> u32 {
        attempts.start(1.0, gw(worker), "t".into(), own)
    }

    #[test]
    fn attempts_are_counted_over_all_workers() {
        let mut attempts = Attempts::default();
        assert_eq!(start(&mut attempts, 0, 1), 1);
        assert_eq!(start(&mut attempts, 1, 1), 2);
        assert_eq!(start(&mut attempts, 1, 2), 3);
        assert_eq!(attempts.number(Some("gw0"), "t", 1), 1);
        assert_eq!(attempts.number(Some("gw1"), "t", 1), 2);
        assert_eq!(attempts.number(Some("gw1"), "t", 2), 3);
        assert_eq!(attempts.running("gw1", "t"), Some((3, 1.0)));
        assert_eq!(attempts.end(3.0, gw(1), "t".into(), 3), 2.0);
        assert_eq!(attempts.running("gw1", "t"), Some((2, 1.0)));
        assert_eq!(attempts.running("gw2", "t"), None);
    }

    #[test]
    fn where_each_worker_runs_all_tests_it_counts_by_itself() {
        let mut attempts = Attempts::default();
        attempts.distribute(Some("each"));
        assert_eq!(start(&mut attempts, 0, 1), 1);
        assert_eq!(start(&mut attempts, 1, 1), 1);
        assert_eq!(start(&mut attempts, 1, 2), 2);
        assert_eq!(attempts.number(Some("gw1"), "t", 2), 2);
        assert_eq!(attempts.last(Some("gw0"), "t"), 1);
        assert_eq!(attempts.started(), HashSet::from(["t"]));
    }

    #[test]
    fn a_lost_start_is_counted() {
        let mut attempts = Attempts::default();
        assert_eq!(start(&mut attempts, 0, 2), 2);
        assert_eq!(start(&mut attempts, 0, 3), 3);
    }

    #[test]
    fn a_journal_knows_all_of_it() {
        let mut recovery = Recovery::default();
        recovery.started(1.0, gw(0), "t".into(), 1);
        recovery.ended(gw(0), "t".into(), 1);
        recovery.started(2.0, gw(1), "t".into(), 2);
        let mut attempts = recovery.finish();
        assert_eq!(attempts.number(Some("gw1"), "t", 1), 2);
        assert_eq!(start(&mut attempts, 1, 2), 3);
        let open: Vec<Run> = attempts.take_running().into_keys().collect();
        assert_eq!(open, [(gw(1), "t".into(), 2), (gw(1), "t".into(), 3)]);
    }
}
