use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::guest::bindings::events::{Envelope, Event, Extension, TestEnd, Verdict};
use crate::journal::{BatchLimit, Draft, Intake, Journal as _, SqliteJournal};
use crate::state::{RunFolder, StateFolder};
use crate::text::hex;

const ALL: BatchLimit = BatchLimit {
    events: 100_000,
    bytes: 1 << 30,
};
const NAME: &str = "2026-11-21T10-10-42-3f9a";

struct Fixture {
    root: tempfile::TempDir,
    here: StateFolder,
    there: StateFolder,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            StateFolder::make(&folder).unwrap()
        };
        let (here, there) = (make("here"), make("there"));
        Self { root, here, there }
    }

    fn file(&self) -> PathBuf {
        self.root.path().join("run.tar.gz")
    }

    fn run(&self, events: Vec<Event>, closed: bool) -> RunFolder {
        let folder = self.here.new_run().unwrap();
        let journal = SqliteJournal::open(&folder.journal()).unwrap();
        let draft = |event| Draft {
            time: 1.5,
            worker: Some("gw0".into()),
            event,
        };
        let intake = Intake {
            drafts: events.into_iter().map(draft).collect(),
            closed,
            ..Intake::default()
        };
        journal.append(&intake).unwrap();
        folder
    }

    /// A run of three tests in a file, and its name.
    fn exported(&self) -> String {
        let folder = self.run((0..3).map(ended).collect(), true);
        let id = folder.id.clone();
        drop(folder);
        export(&self.here, &id, &self.file()).unwrap();
        id
    }

    fn import(&self) -> Result<String, String> {
        import(&self.there, &self.file(), None, MOST).map_err(|error| {
            assert!(error.is_bad_input(), "{error}");
            error.to_string()
        })
    }

    /// The import is refused, and leaves nothing.
    fn refused(&self) -> String {
        let error = self.import().unwrap_err();
        assert!(!error.contains('\n'), "{error}");
        assert!(self.there.runs().is_empty(), "{error}");
        let temporary = std::fs::read_dir(self.there.path().join("temporary"));
        assert_eq!(temporary.unwrap().count(), 0, "{error}");
        let outside: Vec<_> = std::fs::read_dir(self.root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(outside.len(), 3, "{outside:?}");
        error
    }

    /// Writes an archive with these members, behind a manifest that knows them.
    fn made_of(&self, members: &[(&str, &[u8])]) {
        let known: Vec<serde_json::Value> = members
            .iter()
            .map(|(name, content)| {
                let sha256 = hex(&Sha256::digest(content));
                serde_json::json!({"name": name, "size": content.len(), "sha256": sha256})
            })
            .collect();
        let manifest = serde_json::json!({
            "kind": "pytest-host run", "format": 1, "host": "0", "run": NAME, "members": known,
        });
        let mut tar = Tar::new();
        tar.plain("manifest.json", manifest.to_string().as_bytes());
        for (name, content) in members {
            tar.plain(name, content);
        }
        self.write(tar);
    }

    fn write(&self, tar: Tar) {
        std::fs::write(self.file(), tar.finish()).unwrap();
    }

    fn members(&self) -> Vec<(String, Vec<u8>)> {
        let mut archive =
            tar::Archive::new(GzDecoder::new(std::fs::File::open(self.file()).unwrap()));
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                let name = entry.path().unwrap().to_str().unwrap().to_owned();
                (name, content)
            })
            .collect()
    }
}

/// An archive that is written as nobody should: names are put in as they are.
struct Tar(tar::Builder<GzEncoder<Vec<u8>>>);

impl Tar {
    fn new() -> Self {
        Self(tar::Builder::new(GzEncoder::new(
            Vec::new(),
            Compression::fast(),
        )))
    }

    fn plain(&mut self, name: &str, content: &[u8]) {
        self.member(name, tar::EntryType::Regular, content.len() as u64, content);
    }

    fn member(&mut self, name: &str, kind: tar::EntryType, size: u64, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        self.0.append(&header, content).unwrap();
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap().finish().unwrap()
    }
}

fn ended(number: u32) -> Event {
    Event::TestFinished(TestEnd {
        nodeid: format!("t.py::test_{number}"),
        attempt: 1,
        verdict: Verdict::Passed,
        duration: 0.1,
    })
}

fn events(state: &StateFolder, id: &str) -> Vec<Envelope> {
    let journal = SqliteJournal::open(&state.journal_of(id)).unwrap();
    journal.read(0, ALL).unwrap()
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = any::<String>();
    prop_oneof![
        (any::<String>(), 1u32..9).prop_map(Event::TestStarted),
        text.prop_map(Event::Interrupted),
        (any::<String>(), any::<String>()).prop_map(Event::NotRun),
        (any::<String>(), any::<String>())
            .prop_map(|(name, payload)| Event::Extension(Extension { name, payload })),
        proptest::collection::vec(any::<String>(), 0..5).prop_map(Event::Deselected),
        (
            any::<String>(),
            any::<f64>().prop_filter("JSON has it", |f| f.is_finite())
        )
            .prop_map(|(nodeid, duration)| Event::TestFinished(TestEnd {
                nodeid,
                attempt: 1,
                verdict: Verdict::Crashed,
                duration,
            })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_run_is_the_same_after_its_journey(
        happened in proptest::collection::vec(any_event(), 0..40),
        closed: bool,
    ) {
        let fixture = Fixture::new();
        let count = happened.len() as u64;
        let folder = fixture.run(happened, closed);
        let id = folder.id.clone();
        drop(folder);
        let exported = export(&fixture.here, &id, &fixture.file()).unwrap();
        prop_assert_eq!((exported.events, exported.is_part), (count, !closed));
        prop_assert_eq!(fixture.import().unwrap(), id.clone());
        prop_assert_eq!(events(&fixture.there, &id), events(&fixture.here, &id));
    }
}

#[test]
fn what_is_not_in_the_journal_yet_comes_along_unless_a_core_is_at_it() {
    let fixture = Fixture::new();
    let folder = fixture.run(vec![ended(1)], false);
    let id = folder.id.clone();
    std::fs::write(folder.segments().join("main-77.2.seg"), "frames").unwrap();
    std::fs::write(folder.segments().join("other"), "no segment").unwrap();
    export(&fixture.here, &id, &fixture.file()).unwrap();
    let names = |fixture: &Fixture| -> Vec<String> {
        let members = fixture.members().into_iter();
        members.map(|(name, _)| name).collect()
    };
    assert_eq!(names(&fixture), ["manifest.json", "journal.db"]);
    drop(folder);
    export(&fixture.here, &id, &fixture.file()).unwrap();
    let expected = ["manifest.json", "journal.db", "segments/main-77.2.seg"];
    assert_eq!(names(&fixture), expected);
    fixture.import().unwrap();
    let arrived = fixture.there.folder_of(&id).join("segments/main-77.2.seg");
    assert_eq!(std::fs::read_to_string(arrived).unwrap(), "frames");
    let journal = SqliteJournal::open(&fixture.there.journal_of(&id)).unwrap();
    assert_eq!(journal.positions().unwrap()["main-77"].pid, 0);
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing() {
    let fixture = Fixture::new();
    let id = fixture.exported();
    let nowhere = fixture.root.path().join("no/such/run.tar.gz");
    let error = export(&fixture.here, &id, &nowhere).unwrap_err();
    assert!(error.to_string().starts_with("cannot be written: "));
    let folder = fixture.root.path().join("there");
    assert!(export(&fixture.here, &id, &folder).is_err(), "a folder");
    assert_eq!(std::fs::read_dir(fixture.root.path()).unwrap().count(), 3);
}

#[test]
fn a_run_that_is_there_already_is_refused_unless_it_is_given_another_name() {
    let fixture = Fixture::new();
    let id = fixture.exported();
    fixture.import().unwrap();
    let again = fixture.import().unwrap_err();
    assert!(
        again.starts_with(&format!("a run is named {id} already")),
        "{again}"
    );
    let another = |name: &str| import(&fixture.there, &fixture.file(), Some(name), MOST);
    assert_eq!(another(NAME).unwrap(), NAME);
    assert_eq!(fixture.there.runs().len(), 2);
    for wrong in [
        "",
        "../x",
        "2026-11-21T10-10-42-3F9A",
        "last",
        "2026-11-21T10-10-42-3f9a/",
    ] {
        let error = another(wrong).unwrap_err();
        assert!(error.to_string().contains("is no name of a run"), "{wrong}");
    }
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let fixture = Fixture::new();
    fixture.exported();
    let whole = std::fs::read(fixture.file()).unwrap();
    let step = (whole.len() / 40).max(1);
    for length in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        std::fs::write(fixture.file(), &whole[..length]).unwrap();
        fixture.refused();
    }
}

fn unpacked(archive: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(archive), &mut content)?;
    Ok(content)
}

#[test]
fn a_changed_byte_is_found() {
    let fixture = Fixture::new();
    fixture.exported();
    let whole = std::fs::read(fixture.file()).unwrap();
    // Behind the header of gzip, which says nothing of the content.
    let step = (whole.len() / 100).max(1);
    for place in (10..whole.len()).step_by(step).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[place] ^= 0x10;
        // There is more than one way to compress the same content.
        if unpacked(&changed).is_ok_and(|content| content == unpacked(&whole).unwrap()) {
            continue;
        }
        std::fs::write(fixture.file(), changed).unwrap();
        fixture.refused();
    }
    let mut longer = whole;
    longer.push(0);
    std::fs::write(fixture.file(), longer).unwrap();
    assert_eq!(fixture.refused(), "damaged: it goes on behind its end");
}

#[test]
fn other_content_under_the_same_manifest_is_found() {
    let fixture = Fixture::new();
    fixture.exported();
    let mut tar = Tar::new();
    for (name, mut content) in fixture.members() {
        if name == "journal.db" {
            let last = content.len() - 1;
            content[last] ^= 1;
        }
        tar.plain(&name, &content);
    }
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        r#"damaged: "journal.db" is not what it was"#
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../journal.db",
        "/journal.db",
        "segments/../../escaped.1.seg",
        "segments/../escaped.1.seg",
        "segments//main-1.1.seg",
        "segments/.1.seg",
        "lock",
        "journal.db-wal",
    ] {
        let fixture = Fixture::new();
        fixture.made_of(&[("journal.db", b"x"), (name, b"x")]);
        let error = fixture.refused();
        assert_eq!(error, format!("damaged: {name:?} does not belong in it"));
    }
}

#[test]
fn links_folders_and_what_else_is_no_plain_file_are_refused() {
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::Fifo,
        tar::EntryType::GNUSparse,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
    ] {
        let fixture = Fixture::new();
        fixture.exported();
        let mut tar = Tar::new();
        tar.plain("manifest.json", &fixture.members()[0].1);
        tar.member("journal.db", kind, 0, b"");
        fixture.write(tar);
        assert_eq!(
            fixture.refused(),
            r#"damaged: "journal.db" is no plain file"#
        );
    }
}

#[test]
fn what_is_larger_than_it_says_or_may_be_is_refused() {
    let fixture = Fixture::new();
    let zeros = vec![0; 64 << 20];
    fixture.made_of(&[("journal.db", &zeros)]);
    assert!(std::fs::metadata(fixture.file()).unwrap().len() < 1 << 20);
    let error = import(&fixture.there, &fixture.file(), None, 1 << 20).unwrap_err();
    assert_eq!(error.to_string(), "would take 64.0 MiB, more than 1.0 MiB");
    let mut tar = Tar::new();
    tar.plain("manifest.json", &vec![b' '; 2 << 20]);
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        "not a run that was exported: it has no manifest"
    );

    fixture.exported();
    let members = fixture.members();
    let mut tar = Tar::new();
    tar.plain("manifest.json", &members[0].1);
    tar.plain("journal.db", &zeros);
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        r#"damaged: "journal.db" is not what it was"#
    );

    let mut tar = Tar::new();
    for (name, content) in &members {
        tar.plain(name, content);
    }
    let mut encoder = tar.0.into_inner().unwrap();
    encoder.write_all(&zeros).unwrap();
    std::fs::write(fixture.file(), encoder.finish().unwrap()).unwrap();
    assert_eq!(fixture.refused(), "damaged: it goes on behind its end");
}

#[test]
fn more_or_less_than_the_manifest_says_is_refused() {
    let fixture = Fixture::new();
    fixture.exported();
    let members = fixture.members();
    let mut tar = Tar::new();
    tar.plain("manifest.json", &members[0].1);
    fixture.write(tar);
    assert_eq!(fixture.refused(), r#"damaged: "journal.db" is missing"#);
    let mut tar = Tar::new();
    for (name, content) in &members {
        tar.plain(name, content);
    }
    tar.plain("segments/main-1.1.seg", b"x");
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        "damaged: it has more than its manifest says"
    );
    fixture.made_of(&[("journal.db", b"x"), ("journal.db", b"x")]);
    assert_eq!(fixture.refused(), r#"damaged: "journal.db" is in it twice"#);
    fixture.made_of(&[("segments/main-1.1.seg", b"x")]);
    assert_eq!(fixture.refused(), "damaged: it has no journal");
}

#[test]
fn what_is_no_run_is_refused() {
    let fixture = Fixture::new();
    let write = |bytes: &[u8]| std::fs::write(fixture.file(), bytes).unwrap();
    write(b"no archive at all");
    assert!(
        fixture
            .refused()
            .starts_with("not a run that was exported: ")
    );
    fixture.made_of(&[("journal.db", b"no database at all, not even a short one")]);
    assert!(fixture.refused().starts_with("damaged: "));
    fixture.made_of(&[("journal.db", b"")]);
    assert_eq!(
        fixture.refused(),
        "damaged: the journal: it holds no tables"
    );
    let mut tar = Tar::new();
    tar.plain("manifest.json", br#"{"kind": "another"}"#);
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        "not a run that was exported: its manifest is another's"
    );
}

#[test]
fn a_newer_format_is_refused_whatever_else_it_has() {
    let fixture = Fixture::new();
    let mut tar = Tar::new();
    let text = br#"{"kind": "pytest-host run", "format": 2, "host": "9.9", "parts": 3}"#;
    tar.plain("manifest.json", text);
    fixture.write(tar);
    assert_eq!(
        fixture.refused(),
        "made by host 9.9, in format 2; this host knows up to 1"
    );
}

#[test]
fn nobody_but_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.exported();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.file()), 0o600);
    let id = fixture.import().unwrap();
    assert_eq!(mode(&fixture.there.folder_of(&id)), 0o700);
}
