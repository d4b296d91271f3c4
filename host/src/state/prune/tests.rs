use super::*;
use crate::config::{Config, Request};
use crate::guest::bindings::events::Event;
use crate::journal::{Draft, Intake, Journal as _, Progress, SqliteJournal};

const DAY: u64 = 24 * 3600;
const ALL: Keep = Keep {
    runs: None,
    age: None,
    size: None,
};

struct Fixture {
    root: tempfile::TempDir,
    state: StateFolder,
    now: SystemTime,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let state = StateFolder::make(root.path()).unwrap();
        Self {
            root,
            state,
            now: SystemTime::now() + Duration::from_hours(1),
        }
    }

    /// A run that was over so many days ago, with `publish` done or not.
    fn run(&self, days: u64, delivered: bool) -> String {
        let folder = self.state.new_run().unwrap();
        let journal = SqliteJournal::open(&folder.journal()).unwrap();
        let config = Config::load(self.root.path(), []).unwrap();
        let request = Request {
            sinks: Some(vec!["pubdir".into()]),
            ..Request::default()
        };
        journal
            .register(&config.select(&request).unwrap()[0])
            .unwrap();
        let then = self.now - Duration::from_secs(days * DAY);
        let last = Draft {
            time: then.duration_since(UNIX_EPOCH).unwrap().as_secs_f64(),
            worker: None,
            event: Event::Interrupted(String::new()),
        };
        let over = Intake {
            drafts: vec![last],
            closed: true,
            ..Intake::default()
        };
        journal.append(&over).unwrap();
        let progress = Progress {
            closed: delivered,
            ..Progress::default()
        };
        journal.commit("pubdir", &progress).unwrap();
        drop(journal);
        let lock = std::fs::File::options()
            .write(true)
            .open(folder.path.join(LOCK))
            .unwrap();
        lock.set_modified(then).unwrap();
        folder.id.clone()
    }

    /// Some for which so many days have passed, the oldest first.
    fn runs(&self, days: &[u64]) -> Vec<String> {
        days.iter().map(|days| self.run(*days, true)).collect()
    }

    fn whole(&self, keep: Keep, now: SystemTime, mode: Mode) -> Pruned {
        prune(&self.state, &keep, now, mode, Wait::Yes)
            .unwrap()
            .unwrap()
    }

    fn prune(&self, keep: Keep) -> Vec<(String, Limit)> {
        self.whole(keep, self.now, Mode::Remove)
            .removed
            .into_iter()
            .map(|old| (old.run, old.limit))
            .collect()
    }

    fn is_there(&self, id: &str) -> bool {
        self.state.runs().iter().any(|run| run == id)
    }
}

#[test]
fn the_oldest_go_where_there_are_too_many() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[5, 4, 3, 2, 1]);
    let keep = Keep {
        runs: Some(3),
        ..ALL
    };
    let expected = [(ids[0].clone(), Limit::Runs), (ids[1].clone(), Limit::Runs)];
    assert_eq!(fixture.prune(keep), expected);
    assert_eq!(fixture.prune(keep), []);
    assert_eq!(fixture.state.runs().len(), 3);
    assert_eq!(fixture.prune(ALL), []);
}

#[test]
fn what_is_too_old_goes_even_the_newest() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[60, 31, 29]);
    let expected = [(ids[0].clone(), Limit::Age), (ids[1].clone(), Limit::Age)];
    assert_eq!(fixture.prune(Keep::default()), expected);
    assert!(fixture.is_there(&ids[2]));
    let keep = Keep {
        age: Some(Duration::from_hours(1)),
        ..ALL
    };
    assert_eq!(fixture.prune(keep), [(ids[2].clone(), Limit::Age)]);
}

#[test]
fn a_long_run_is_as_old_as_its_last_event_and_an_imported_one_as_its_import() {
    let fixture = Fixture::new();
    let [long, imported] = [fixture.run(1, true), fixture.run(60, true)];
    let came = |id: &str, days: u64| {
        let lock = fixture.state.folder_of(id).join(LOCK);
        let lock = std::fs::File::options().write(true).open(lock).unwrap();
        lock.set_modified(fixture.now - Duration::from_secs(days * DAY))
            .unwrap();
    };
    came(&long, 60);
    came(&imported, 1);
    assert_eq!(fixture.prune(Keep::default()), []);
    came(&imported, 31);
    assert_eq!(fixture.prune(Keep::default()), [(imported, Limit::Age)]);
}

#[test]
fn the_oldest_go_until_the_size_fits_and_the_newest_stays() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[3, 2, 1]);
    let one = bytes_of(&fixture.state.folder_of(&ids[0]));
    assert!(one >= 4096, "{one}");
    let size = |size| Keep {
        size: Some(size),
        ..ALL
    };
    assert_eq!(fixture.prune(size(one * 3)), []);
    let first = [(ids[0].clone(), Limit::Size)];
    assert_eq!(fixture.prune(size(one * 3 - 1)), first);
    assert_eq!(fixture.prune(size(1)), [(ids[1].clone(), Limit::Size)]);
    assert_eq!(fixture.prune(size(1)), [], "the newest stays");
}

#[test]
fn what_is_not_delivered_stays_until_it_is_too_old() {
    let fixture = Fixture::new();
    let left = fixture.run(29, false);
    let others = fixture.runs(&[3, 2]);
    let keep = Keep {
        runs: Some(1),
        ..Keep::default()
    };
    let pruned = fixture.whole(keep, fixture.now, Mode::Remove);
    let kept: Vec<_> = pruned
        .kept
        .iter()
        .map(|old| (&old.run, &old.left))
        .collect();
    assert_eq!(kept, [(&left, &Some("pubdir: 1 event".to_owned()))]);
    assert!(fixture.is_there(&left));
    assert!(!fixture.is_there(&others[0]));
    assert!(fixture.is_there(&others[1]), "the newest stays");
    let later = fixture.now + Duration::from_secs(2 * DAY);
    let pruned = fixture.whole(keep, later, Mode::Remove);
    assert_eq!(pruned.removed[0].run, left);
    assert_eq!(pruned.removed[0].left.as_deref(), Some("pubdir: 1 event"));
    assert!(!fixture.is_there(&left));
}

#[test]
fn a_journal_that_cannot_be_read_may_have_something_left() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[3, 2]);
    let journal = fixture.state.journal_of(&ids[0]);
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[100..].fill(0xaa);
    std::fs::write(&journal, bytes).unwrap();
    let keep = Keep {
        runs: Some(1),
        ..ALL
    };
    let pruned = fixture.whole(keep, fixture.now, Mode::Remove);
    assert!(pruned.removed.is_empty(), "{pruned:?}");
    assert_eq!(pruned.kept[0].run, ids[0]);
    let why = pruned.kept[0].left.as_deref().unwrap();
    assert!(why.starts_with("cannot be read: "), "{why}");
}

#[test]
fn a_run_that_somebody_owns_stays_however_old() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[90, 80, 1]);
    let owned = fixture.state.take_up(&ids[0]).unwrap().unwrap();
    let expected = [(ids[1].clone(), Limit::Age)];
    assert_eq!(fixture.prune(Keep::default()), expected);
    assert!(fixture.is_there(&ids[0]));
    drop(owned);
    assert_eq!(fixture.prune(Keep::default()).len(), 1);
}

#[test]
fn a_dry_run_removes_nothing() {
    let fixture = Fixture::new();
    let ids = fixture.runs(&[90, 1]);
    let keep = Keep::default();
    let dry = fixture.whole(keep, fixture.now, Mode::DryRun);
    assert_eq!(fixture.state.runs().len(), 2);
    let real = fixture.whole(keep, fixture.now, Mode::Remove);
    assert_eq!(dry, real);
    assert_eq!(real.removed[0].run, ids[0]);
}

#[test]
fn several_at_once_remove_no_more_than_one_would() {
    let fixture = Fixture::new();
    let days: Vec<u64> = (1..=30).rev().collect();
    let ids = fixture.runs(&days);
    let keep = Keep {
        runs: Some(10),
        ..ALL
    };
    let work = || fixture.prune(keep);
    let mut removed: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap());
        done.flatten().map(|(run, _)| run).collect()
    });
    removed.sort_unstable();
    let mut expected = ids[..20].to_vec();
    expected.sort_unstable();
    assert_eq!(removed, expected);
    let _busy = fixture.state.stage().unwrap();
    let now = fixture.now;
    let skipped = prune(&fixture.state, &keep, now, Mode::Remove, Wait::No);
    assert!(skipped.unwrap().is_none(), "somebody is at work");
}
