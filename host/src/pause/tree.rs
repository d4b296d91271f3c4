//! The folders of the file protocol: `<top>/runs/<run_id>/pauses/<pause_id>.json`.

use std::path::{Path, PathBuf};

use super::record::{Record, Status};
use crate::text::printable;

#[derive(Clone, Debug)]
pub struct Tree {
    top: PathBuf,
}

/// Of a run, as its `run.json` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Unknown,
    Active,
    Over,
}

impl Tree {
    #[must_use]
    pub fn new(top: &Path) -> Self {
        Self {
            top: top.to_owned(),
        }
    }

    /// Every pause, with its file; what cannot be read gets a line on standard
    /// error and hides nothing else.
    #[must_use]
    pub fn pauses(&self) -> Vec<(PathBuf, Record)> {
        let runs = entries(&self.top.join("runs"));
        runs.iter().flat_map(|run| pauses_in(run)).collect()
    }

    /// Those of one run.
    #[must_use]
    pub fn pauses_of(&self, run: &str) -> Vec<(PathBuf, Record)> {
        self.folder(run)
            .map_or_else(Vec::new, |run| pauses_in(&run))
    }

    /// Whether the process that the run belongs to is there.
    #[must_use]
    pub fn run_state(&self, run: &str) -> RunState {
        let Some(folder) = self.folder(run) else {
            return RunState::Unknown;
        };
        let Ok(text) = std::fs::read(folder.join("run.json")) else {
            return RunState::Unknown;
        };
        // A run has the keys of a pause that tell.
        let mut record: Record = serde_json::from_slice(&text).unwrap_or_default();
        "pending".clone_into(&mut record.status);
        match record.status() {
            Status::Pending => RunState::Active,
            _ => RunState::Over,
        }
    }

    /// Ids are names, never paths.
    fn folder(&self, run: &str) -> Option<PathBuf> {
        let is_name =
            !run.is_empty() && run.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_name.then(|| self.top.join("runs").join(run))
    }
}

/// Whether a file is where a pause file is.
#[must_use]
pub fn is_in_place(path: &Path) -> bool {
    let above = path.parent().and_then(Path::file_name);
    above.is_some_and(|name| name == "pauses") && path.extension().is_some_and(|e| e == "json")
}

fn pauses_in(run: &Path) -> Vec<(PathBuf, Record)> {
    let files = entries(&run.join("pauses"));
    let mut found = Vec::new();
    for path in files.into_iter().filter(|path| is_in_place(path)) {
        match Record::read(&path) {
            Ok(record) => found.push((path, record)),
            Err(problem) => eprintln!("host: {}: {}", path.display(), printable(&problem)),
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_corrupt_file_hides_no_other_and_ids_are_no_paths() {
        let top = tempfile::tempdir().unwrap();
        let pauses = top.path().join("runs/r1/pauses");
        std::fs::create_dir_all(&pauses).unwrap();
        std::fs::write(pauses.join("a.json"), "").unwrap();
        std::fs::write(
            pauses.join("b.json"),
            r#"{"pause_id": "b", "status": "resumed"}"#,
        )
        .unwrap();
        std::fs::write(pauses.join("c.json.tmp"), "{").unwrap();
        std::fs::write(top.path().join("runs/r1/run.json"), "{}").unwrap();
        let tree = Tree::new(top.path());
        let ids: Vec<String> = tree.pauses().into_iter().map(|(_, r)| r.pause_id).collect();
        assert_eq!(ids, ["b"]);
        assert_eq!(tree.run_state("r1"), RunState::Active);
        assert_eq!(tree.run_state("../runs/r1"), RunState::Unknown);
    }
}
