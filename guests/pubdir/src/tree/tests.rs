//! The steps, with a process that dies between any two of them, and with several at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use tempfile::TempDir;

use super::{
    disks::{Memory, Mortal, tree_of},
    *,
};
use crate::files::Disk;

fn entry(seq: u64, folder: &[&str], outcome: Outcome, content: Option<&str>) -> Entry {
    let page = |content: &str| Page {
        name: "brief.txt",
        content: content.into(),
    };
    Entry {
        seq,
        folder: folder.iter().map(|name| name.to_string()).collect(),
        outcome,
        pages: content.map(|content| {
            vec![
                page(content),
                Page {
                    name: "result.json",
                    content: b"{}".to_vec(),
                },
            ]
        }),
    }
}

/// Two results of one name, one that the filter drops, one more, and one elsewhere.
fn entries() -> Vec<Entry> {
    vec![
        entry(3, &["a"], Outcome::Pass, Some("first")),
        entry(5, &["a"], Outcome::Fail, Some("second")),
        entry(6, &["a"], Outcome::Pass, None),
        entry(9, &["a"], Outcome::Skip, Some("third")),
        entry(12, &["scope", "b"], Outcome::Pass, Some("other")),
    ]
}

fn expected() -> BTreeMap<String, String> {
    let files = [
        ("a/.lock", ""),
        ("a/0.pass/brief.txt", "first"),
        ("a/0.pass/result.json", "{}"),
        ("a/1.fail/brief.txt", "second"),
        ("a/1.fail/result.json", "{}"),
        ("a/3.skip/brief.txt", "third"),
        ("a/3.skip/result.json", "{}"),
        ("a/count", "4"),
        ("scope/b/.lock", ""),
        ("scope/b/0.pass/brief.txt", "other"),
        ("scope/b/0.pass/result.json", "{}"),
        ("scope/b/count", "1"),
    ];
    files
        .map(|(path, content)| (path.to_owned(), content.to_owned()))
        .into()
}

fn open<F: Files>(files: F, session: &str) -> Tree<F> {
    Tree::new(files, PathBuf::new(), session)
}

/// Delivers in order until one fails, and says which: nothing after it may overtake it.
fn deliver(tree: &mut Tree<impl Files>, entries: &[Entry]) -> Option<usize> {
    entries.iter().position(|entry| tree.put(entry).is_err())
}

/// A session that comes to its end.
fn finish(mut tree: Tree<impl Files>, entries: &[Entry]) {
    assert_eq!(deliver(&mut tree, entries), None);
    tree.close().unwrap();
}

/// What a session leaves that dies after 1, 2, 3, … changes, and which entry it died with.
fn deaths() -> impl Iterator<Item = (usize, usize, Memory)> {
    (1..).map_while(|death| {
        let disk = Memory::default();
        let failed = deliver(&mut open(Mortal::new(disk.clone(), death), "s"), &entries())?;
        Some((death, failed, disk))
    })
}

fn contents(disk: &Memory) -> BTreeMap<String, String> {
    tree_of(disk, Path::new(""))
}

#[test]
fn a_session_leaves_what_the_published_plugin_leaves() {
    let disk = Memory::default();
    finish(open(disk.clone(), "s"), &entries());
    assert_eq!(contents(&disk), expected());
}

#[test]
fn a_death_neither_loses_nor_doubles_nor_litters() {
    assert!(deaths().count() > 40);
    for (death, failed, disk) in deaths() {
        // Delivered again: from the event at fault, or from the start of the batch that it was in.
        for first in [0, failed] {
            let disk = disk.copy();
            finish(open(disk.clone(), "s"), &entries()[first..]);
            assert_eq!(
                contents(&disk),
                expected(),
                "death {death}, again from {first}"
            );
        }
    }
}

#[test]
fn a_second_death_is_no_worse() {
    let entries = entries();
    for (first, _, disk) in deaths() {
        for second in 1.. {
            let disk = disk.copy();
            let died =
                deliver(&mut open(Mortal::new(disk.clone(), second), "s"), &entries).is_some();
            finish(open(disk.clone(), "s"), &entries);
            assert_eq!(contents(&disk), expected(), "deaths {first} and {second}");
            if !died {
                break;
            }
        }
    }
}

#[test]
fn an_error_is_not_a_death() {
    let entries = entries();
    for (fault, failed, _) in deaths() {
        let disk = Memory::default();
        let mut tree = open(Mortal::new(disk.clone(), fault), "s");
        assert_eq!(deliver(&mut tree, &entries), Some(failed));
        // The same instance goes on, once the disk lets it.
        tree.files.revive();
        finish(tree, &entries[failed..]);
        assert_eq!(contents(&disk), expected(), "fault {fault}");
    }
}

#[test]
fn a_death_does_not_stand_in_the_way_of_others() {
    for (death, _, disk) in deaths() {
        finish(
            open(disk.clone(), "t"),
            &[entry(1, &["a"], Outcome::Fail, Some("theirs"))],
        );
        finish(open(disk.clone(), "s"), &entries());
        let tree = contents(&disk);
        for content in ["first", "second", "third", "theirs", "other"] {
            assert_eq!(
                tree.values().filter(|text| *text == content).count(),
                1,
                "death {death}: {tree:?}"
            );
        }
        assert!(
            !tree
                .keys()
                .any(|path| path.contains(".claim") || path.contains(".draft")),
            "{tree:?}"
        );
    }
}

#[test]
fn a_real_disk_does_as_the_one_in_memory() {
    for (death, failed, disk) in deaths() {
        let top = TempDir::new().unwrap();
        let tree = |files| Tree::new(files, top.path().to_owned(), "s");
        assert_eq!(
            deliver(&mut tree(Mortal::new(Disk, death)), &entries()),
            Some(failed)
        );
        assert_eq!(tree_of(&Disk, top.path()), contents(&disk), "death {death}");
        finish(tree(Mortal::new(Disk, usize::MAX)), &entries());
        assert_eq!(tree_of(&Disk, top.path()), expected(), "death {death}");
    }
}

#[test]
fn earlier_runs_are_counted_on_from() {
    let disk = Memory::default();
    finish(open(disk.clone(), "s"), &entries());
    finish(
        open(disk.clone(), "t"),
        &[entry(3, &["a"], Outcome::Pass, Some("next"))],
    );
    let tree = contents(&disk);
    assert_eq!(
        (
            tree["a/4.pass/brief.txt"].as_str(),
            tree["a/count"].as_str()
        ),
        ("next", "5")
    );
}

#[test]
fn a_count_that_is_wrong_is_corrected() {
    for (count, index, corrected) in [
        ("0", 4, "5"),
        ("nonsense", 4, "5"),
        ("", 4, "5"),
        ("18446744073709551615", 4, "5"),
        ("2", 2, "4"),
        ("9", 9, "10"),
    ] {
        let disk = Memory::default();
        finish(open(disk.clone(), "s"), &entries());
        disk.write(Path::new("a/count"), count.as_bytes()).unwrap();
        finish(
            open(disk.clone(), "t"),
            &[entry(3, &["a"], Outcome::Pass, Some("next"))],
        );
        let tree = contents(&disk);
        assert_eq!(
            tree.get(&format!("a/{index}.pass/brief.txt"))
                .map(String::as_str),
            Some("next"),
            "{tree:?}"
        );
        assert_eq!(tree["a/count"], corrected);
    }
}

#[test]
fn many_at_once_do_not_collide() {
    const RUNS: usize = 4;
    const RESULTS: usize = 50;
    let top = TempDir::new().unwrap();
    thread::scope(|scope| {
        for run in 0..RUNS {
            let mut tree = Tree::new(Disk, top.path().to_owned(), &format!("session-{run}"));
            scope.spawn(move || {
                for (seq, number) in (0..).zip(0..RESULTS) {
                    let outcome = [Outcome::Pass, Outcome::Fail][(run + number) % 2];
                    tree.put(&entry(
                        seq,
                        &["a"],
                        outcome,
                        Some(&format!("{run} {number}")),
                    ))
                    .unwrap();
                }
                tree.close().unwrap();
            });
        }
    });
    let tree = tree_of(&Disk, top.path());
    let names: BTreeSet<_> = tree
        .keys()
        .filter_map(|path| path.split('/').nth(1))
        .collect();
    let indexes: BTreeSet<_> = names
        .iter()
        .filter_map(|name| names::result_index(name))
        .collect();
    let briefs: BTreeSet<_> = tree
        .iter()
        .filter(|(path, _)| path.ends_with("brief.txt"))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(briefs.len(), RUNS * RESULTS);
    assert_eq!(indexes, (0..(RUNS * RESULTS) as u64).collect());
    // Nothing but results, `.lock` and `count`.
    assert_eq!(names.len(), RUNS * RESULTS + 2, "{names:?}");
    assert_eq!(tree["a/count"], (RUNS * RESULTS).to_string());
}

#[test]
fn a_scope_may_be_named_like_a_test() {
    let disk = Memory::default();
    let inner = entry(2, &["a", "a"], Outcome::Pass, Some("two"));
    finish(
        open(disk.clone(), "s"),
        &[entry(1, &["a"], Outcome::Pass, Some("one")), inner],
    );
    let tree = contents(&disk);
    assert_eq!(
        (
            tree["a/0.pass/brief.txt"].as_str(),
            tree["a/a/0.pass/brief.txt"].as_str()
        ),
        ("one", "two")
    );
}
