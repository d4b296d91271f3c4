use super::*;
use crate::guest::bindings::events::{Envelope, Verdict};
use crate::journal::{Draft, Intake, Journal as _, SqliteJournal};
use crate::state::RunFolder;
use crate::watch::testing::{at, collected, end, session, session_end, start};

const PLENTY: Duration = Duration::from_secs(60);

impl Watched {
    /// As after a look that found nothing new.
    pub fn read_all(&mut self) {
        self.behind = false;
    }
}

fn append(journal: &SqliteJournal, happened: impl IntoIterator<Item = Envelope>, closed: bool) {
    let draft = |envelope: Envelope| Draft {
        time: envelope.time,
        worker: envelope.worker,
        event: envelope.event,
    };
    let intake = Intake {
        drafts: happened.into_iter().map(draft).collect(),
        closed,
        ..Intake::default()
    };
    journal.append(&intake).unwrap();
}

/// A run of so many tests, and who owns it.
fn kept(state: &StateFolder, tests: usize, closed: bool) -> (RunFolder, SqliteJournal) {
    let folder = state.new_run().unwrap();
    let journal = SqliteJournal::open(&folder.journal()).unwrap();
    let [some, all] = collected(tests);
    append(
        &journal,
        [
            at(0.0, None, session(None)),
            at(0.0, None, some),
            at(0.0, None, all),
        ],
        false,
    );
    for number in 0..tests {
        let name = format!("t.py::test_{number}");
        let verdict = if number % 10 == 0 {
            Verdict::Failed
        } else {
            Verdict::Passed
        };
        append(
            &journal,
            [
                at(1.0, None, start(&name, 1)),
                at(2.0, None, end(&name, 1, verdict)),
            ],
            false,
        );
    }
    if closed {
        append(&journal, [at(3.0, None, session_end(1))], true);
    }
    (folder, journal)
}

fn ids(watcher: &Watcher) -> Vec<&str> {
    watcher.runs().iter().map(|run| run.id.as_str()).collect()
}

#[test]
fn nothing_is_made_where_no_run_was_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::new(root.path(), None);
    assert!(!watcher.look(PLENTY));
    assert!(watcher.is_over());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_journal_is_read_to_its_end_in_steps() {
    let root = tempfile::tempdir().unwrap();
    let state = StateFolder::make(root.path()).unwrap();
    let (folder, journal) = kept(&state, 600, false);
    let mut watcher = Watcher::new(root.path(), None);
    assert!(watcher.look(Duration::ZERO), "no time to read anything");
    assert_eq!(watcher.runs()[0].run.done(), 0);
    assert!(!watcher.is_over());
    assert!(!watcher.look(PLENTY));
    assert_eq!(watcher.runs()[0].run.done(), 600);
    assert_eq!(watcher.runs()[0].run.failures.len(), 60);
    assert_eq!(watcher.runs()[0].state, State::Running);
    drop(folder);
    watcher.look(PLENTY);
    assert_eq!(watcher.runs()[0].state, State::Lost);
    append(&journal, [at(3.0, None, session_end(1))], true);
    watcher.look(PLENTY);
    assert_eq!(watcher.runs()[0].state, State::Finished);
    assert!(watcher.is_over());
}

#[test]
fn of_old_runs_the_last_is_watched_and_of_new_ones_all() {
    let root = tempfile::tempdir().unwrap();
    let state = StateFolder::make(root.path()).unwrap();
    let mut old = [kept(&state, 1, true).0.id, kept(&state, 1, true).0.id];
    old.sort();
    let mut watcher = Watcher::new(root.path(), None);
    watcher.look(PLENTY);
    assert_eq!(ids(&watcher), [&old[1]]);
    let (new, _journal) = kept(&state, 1, false);
    watcher.look(PLENTY);
    let mut expected = [old[1].as_str(), &new.id];
    expected.sort_unstable();
    assert_eq!(ids(&watcher), expected);
    let mut one = Watcher::new(root.path(), Some(&old[0]));
    one.look(PLENTY);
    assert_eq!(ids(&one), [&old[0]]);
    new.remove().unwrap();
    watcher.look(PLENTY);
    assert_eq!(ids(&watcher), [&old[1]]);
}

#[test]
fn runs_that_are_over_are_forgotten_one_day() {
    let root = tempfile::tempdir().unwrap();
    let state = StateFolder::make(root.path()).unwrap();
    kept(&state, 1, true);
    let mut watcher = Watcher::new(root.path(), None);
    watcher.look(PLENTY);
    for _ in 0..ENDED + 2 {
        kept(&state, 1, true);
        watcher.look(PLENTY);
    }
    watcher.look(PLENTY);
    assert_eq!(watcher.runs().len(), ENDED);
    watcher.look(PLENTY);
    assert_eq!(watcher.runs().len(), ENDED, "and do not come back");
}

#[test]
fn a_journal_of_a_newer_host_is_said_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    let state = StateFolder::make(root.path()).unwrap();
    let (folder, journal) = kept(&state, 1, true);
    drop(journal);
    let connection = rusqlite::Connection::open(folder.journal()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(folder);
    let mut watcher = Watcher::new(root.path(), None);
    watcher.look(PLENTY);
    let State::Unreadable(reason) = &watcher.runs()[0].state else {
        panic!("it was read");
    };
    assert!(reason.contains("format 99"), "{reason}");
    assert!(watcher.is_over());
}
