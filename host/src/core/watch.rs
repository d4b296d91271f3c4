//! Notices that files change: the system tells, or, where it cannot, they are
//! looked at every second.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// How long nothing may have happened to a file before it is taken for whole.
const QUIET: Duration = Duration::from_millis(200);
/// How long to wait for that, where something happens all the time.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look where the system does not tell.
const POLL: Duration = Duration::from_secs(1);

/// Waits until something has changed, and then until nothing does.
pub async fn settled(changes: &Notify) {
    changes.notified().await;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end
        && tokio::time::timeout(QUIET, changes.notified())
            .await
            .is_ok()
    {}
}

/// Watches folders, since whoever replaces a file by renaming another one leaves
/// nothing of the first to be watched.
pub struct Watch {
    watcher: Option<Box<dyn Watcher + Send>>,
    polls: bool,
    folders: BTreeSet<PathBuf>,
    files: Arc<Mutex<Vec<PathBuf>>>,
    changes: Arc<Notify>,
}

impl Watch {
    /// Tells `changes` of each change to one of the files that are set later.
    #[must_use]
    pub fn new(changes: Arc<Notify>) -> Self {
        let mut watch = Self {
            watcher: None,
            polls: false,
            folders: BTreeSet::new(),
            files: Arc::default(),
            changes,
        };
        match RecommendedWatcher::new(watch.teller(), notify::Config::default()) {
            Ok(watcher) => watch.watcher = Some(Box::new(watcher)),
            Err(error) => watch.poll(&error),
        }
        watch
    }

    /// Watches these files, which need not be there, and no others.
    pub fn set(&mut self, files: &BTreeSet<PathBuf>) {
        let mut all = files.clone();
        // By the names that the system may tell them by; a link's target, too.
        all.extend(files.iter().filter_map(|file| real(file)));
        let folders: BTreeSet<PathBuf> = all.iter().filter_map(|file| folder(file)).collect();
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = all.into_iter().collect();
        for folder in self.folders.difference(&folders) {
            if let Some(watcher) = &mut self.watcher {
                // It may be gone.
                let _ = watcher.unwatch(folder);
            }
        }
        self.folders = folders;
        // Those that are watched, too: one that was made anew has to be watched anew.
        if let Err(error) = self.watch_all()
            && !self.polls
        {
            self.poll(&error);
            if let Err(error) = self.watch_all() {
                tracing::warn!("changes are not noticed: {error}");
            }
        }
    }

    fn watch_all(&mut self) -> notify::Result<()> {
        for folder in &self.folders {
            if let Some(watcher) = &mut self.watcher {
                match watcher.watch(folder, RecursiveMode::NonRecursive) {
                    // It went in between; its own folder tells of the next one.
                    Err(error) if !folder.is_dir() => tracing::debug!("{error}"),
                    watched => watched?,
                }
            }
        }
        Ok(())
    }

    /// Goes on without the system's help.
    fn poll(&mut self, why: &notify::Error) {
        tracing::info!(
            "changes of configuration and modules are looked for every {}: {why}",
            humantime::format_duration(POLL)
        );
        self.polls = true;
        let config = notify::Config::default().with_poll_interval(POLL);
        self.watcher = match PollWatcher::new(self.teller(), config) {
            Ok(watcher) => Some(Box::new(watcher)),
            Err(error) => {
                tracing::warn!("changes are not noticed: {error}");
                None
            }
        };
    }

    fn teller(&self) -> impl FnMut(notify::Result<Event>) + Send + 'static {
        let (files, changes) = (Arc::clone(&self.files), Arc::clone(&self.changes));
        move |event| match event {
            Ok(event) => {
                let files = files.lock().unwrap_or_else(PoisonError::into_inner);
                if concerns(&event, &files) {
                    changes.notify_one();
                }
            }
            Err(error) => tracing::debug!("{error}"),
        }
    }
}

/// Whether one of the files may have changed, or a folder that it is in.
fn concerns(event: &Event, files: &[PathBuf]) -> bool {
    let is_change = match event.kind {
        // Reading them is what this program does.
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    let touches = |path: &PathBuf| files.iter().any(|file| file.starts_with(path));
    event.need_rescan() || (is_change && event.paths.iter().any(touches))
}

/// The nearest folder of `file` that is there.
fn folder(file: &Path) -> Option<PathBuf> {
    let folders = file.ancestors().skip(1);
    folders
        .filter(|folder| folder.is_dir())
        .map(Path::to_owned)
        .next()
}

/// `file` without links on the way, as far as it is there.
fn real(file: &Path) -> Option<PathBuf> {
    file.canonicalize().ok().or_else(|| {
        let folder = file.parent()?.canonicalize().ok()?;
        Some(folder.join(file.file_name()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guard against hanging.
    const DEADLINE: Duration = Duration::from_secs(30);

    async fn noticed(changes: &Notify) {
        tokio::time::timeout(DEADLINE, settled(changes))
            .await
            .unwrap();
    }

    fn watch(files: &[&Path]) -> (Watch, Arc<Notify>) {
        let changes = Arc::new(Notify::new());
        let mut watch = Watch::new(Arc::clone(&changes));
        watch.set(&files.iter().map(|file| file.to_path_buf()).collect());
        (watch, changes)
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_or_removed_or_made_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.toml");
        let (_watch, changes) = watch(&[&file]);
        std::fs::write(&file, "a").unwrap();
        noticed(&changes).await;
        let new = folder.path().join("new");
        std::fs::write(&new, "b").unwrap();
        std::fs::rename(&new, &file).unwrap();
        noticed(&changes).await;
        std::fs::remove_file(&file).unwrap();
        noticed(&changes).await;
    }

    #[tokio::test]
    async fn a_folder_that_is_made_anew_is_watched_again() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("target/release/mine.wasm");
        let (mut watch, changes) = watch(&[&file]);
        let files = BTreeSet::from([file.clone()]);
        for _ in 0..2 {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            noticed(&changes).await;
            watch.set(&files);
            std::fs::write(&file, "a").unwrap();
            noticed(&changes).await;
            std::fs::remove_dir_all(base.path().join("target")).unwrap();
            noticed(&changes).await;
            watch.set(&files);
        }
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_noticed() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, file) = (here.path().join("mine.wasm"), there.path().join("a.wasm"));
        std::fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let (_watch, changes) = watch(&[&link]);
        std::fs::write(&file, "b").unwrap();
        noticed(&changes).await;
    }

    #[tokio::test]
    async fn without_the_system_files_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.toml");
        let changes = Arc::new(Notify::new());
        let mut watch = Watch::new(Arc::clone(&changes));
        watch.poll(&notify::Error::generic("it cannot tell"));
        watch.set(&BTreeSet::from([file.clone()]));
        std::fs::write(&file, "a").unwrap();
        noticed(&changes).await;
    }

    #[test]
    fn only_changes_of_the_files_and_their_folders_concern() {
        let files = [PathBuf::from("/a/b/host.toml")];
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let modified = EventKind::Modify(notify::event::ModifyKind::Any);
        assert!(concerns(&event(modified, "/a/b/host.toml"), &files));
        assert!(concerns(&event(modified, "/a/b"), &files));
        assert!(!concerns(&event(modified, "/a/b/host.toml.swp"), &files));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!concerns(&event(read, "/a/b/host.toml"), &files));
    }
}
