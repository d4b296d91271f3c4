//! Finding a pause, and the core that can reach it.

use std::path::{Path, PathBuf};

use super::record::{Record, Status};
use super::tree::{Tree, is_in_place};
use crate::config::Config;
use crate::control::{self, Control};
use crate::protocol::control::{FromControl, OpenPause, ToControl};
use crate::state::StateFolder;

/// Where pauses are looked for.
pub struct Ways {
    pub tree: Tree,
    directory: PathBuf,
}

/// A pause, and how it may be reached.
#[derive(Debug)]
pub struct Found {
    pub record: Record,
    pub status: Status,
    /// Its file, where it has one.
    pub path: Option<PathBuf>,
    /// As its core knows it.
    pub open: Option<OpenPause>,
}

impl Found {
    /// The file, or where there is none the id.
    #[must_use]
    pub fn shown(&self) -> String {
        self.path.as_ref().map_or_else(
            || self.record.pause_id.clone(),
            |path| path.display().to_string(),
        )
    }

    fn filed(path: PathBuf, record: Record) -> Self {
        Self {
            status: record.status(),
            record,
            path: Some(path),
            open: None,
        }
    }

    fn open(open: OpenPause) -> Self {
        let record = Record::from(&open);
        let files = open.pause.files.as_ref();
        let path = files.map(|files| files.join("pauses").join(format!("{}.json", open.pause.id)));
        Self {
            status: Status::Pending,
            record,
            path,
            open: Some(open),
        }
    }
}

/// As Python's `tempfile.gettempdir` has it, but for rarer variables.
#[must_use]
pub fn default_folder() -> PathBuf {
    std::env::temp_dir().join("pytest-live-pause")
}

impl Ways {
    #[must_use]
    pub fn new(directory: &Path, top: &Path) -> Self {
        Self {
            tree: Tree::new(top),
            directory: directory.to_owned(),
        }
    }

    /// Every pause in files or known to a core of this folder.
    #[must_use]
    pub fn all(&self) -> Vec<Found> {
        let mut all: Vec<Found> = self
            .tree
            .pauses()
            .into_iter()
            .map(|(path, record)| Found::filed(path, record))
            .collect();
        for mut core in cores(&self.directory) {
            for open in open_in(&mut core) {
                match all.iter_mut().find(|f| f.record.pause_id == open.pause.id) {
                    Some(known) => known.open = Some(open),
                    None => all.push(Found::open(open)),
                }
            }
        }
        all
    }

    /// The pause that `target` means: a pause file, or an id.
    ///
    /// # Errors
    ///
    /// The lines that say why there is none.
    pub fn find(&self, target: &str) -> Result<Found, Vec<String>> {
        let path = Path::new(target);
        if path.exists() {
            if !is_in_place(path) {
                return Err(vec![format!("not a pause file: {target}")]);
            }
            let record = Record::read(path).map_err(|problem| {
                vec![format!("{target}: {}", crate::text::printable(&problem))]
            })?;
            return Ok(Found::filed(path.to_owned(), record));
        }
        let missing = format!("pause target not found: {target}");
        let mut same: Vec<Found> = self.all();
        same.retain(|found| found.record.pause_id == target);
        let several = same.len() > 1;
        match same.pop() {
            Some(_) if several => Err(vec![
                format!("multiple pauses matched id {target}; use the full pause file path"),
                missing,
            ]),
            Some(found) => Ok(found),
            None => Err(vec![missing]),
        }
    }

    /// The core that the pause is open in, if any can be reached.
    #[must_use]
    pub fn core_of(&self, found: &Found) -> Option<Control> {
        let own = found.record.cwd.as_deref().map(PathBuf::from);
        let places = [self.directory.clone()].into_iter().chain(own);
        let cores = places.flat_map(|place| cores(&place));
        for mut core in cores {
            let open = open_in(&mut core);
            if open
                .iter()
                .any(|open| open.pause.id == found.record.pause_id)
            {
                return Some(core);
            }
        }
        None
    }
}

/// The cores at work for `directory`; none where its configuration is not right.
fn cores(directory: &Path) -> Vec<Control> {
    let Ok(config) = Config::load(directory, std::env::vars()) else {
        return Vec::new();
    };
    StateFolder::find(config.root()).map_or_else(Vec::new, |state| control::living(&state))
}

fn open_in(core: &mut Control) -> Vec<OpenPause> {
    match core.ask(&FromControl::Pauses) {
        Ok(ToControl::Pauses { pauses }) => pauses,
        _ => Vec::new(),
    }
}
