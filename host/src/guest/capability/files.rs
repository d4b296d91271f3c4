//! `wasi:filesystem`: the granted folders, opened for one instance, and what is said
//! of calls that lead out of them.
//!
//! What keeps a guest inside is wasmtime's: it resolves each path below the folder's
//! handle, link by link or by the kernel (`openat2`), and never by a path of the host.

mod calls;

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rustix::fs::{CWD, Mode, OFlags, openat};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemCtx};
use wasmtime_wasi::{FsPerms, OpenMode};

pub use calls::add_to_linker;

use super::denied::{Denials, Kind};
use crate::guest::grants::{Access, FolderGrant};
use crate::guest::paths::normal;

/// The granted folders, each opened.
pub struct Folders {
    opened: Vec<Opened>,
    denials: Denials,
}

struct Opened {
    grant: FolderGrant,
    dir: Dir,
}

/// `wasi:filesystem` within the granted folders.
pub struct FolderView<'a> {
    pub folders: &'a Folders,
    pub wasi: &'a mut WasiFilesystemCtx,
    pub table: &'a mut ResourceTable,
}

impl Folders {
    /// Opens the folders for an instance.
    ///
    /// # Errors
    ///
    /// Where one cannot be opened, or is now a link: what was checked is what it was
    /// when the sink was loaded, and the guest may have changed it since.
    pub fn open(grants: &[FolderGrant], denials: &Denials) -> wasmtime::Result<Self> {
        let opened = grants.iter().map(|grant| {
            let file = open_real(&grant.host)
                .with_context(|| format!("the folder {:?} cannot be opened", grant.guest))?;
            let (permissions, mode) = match grant.access {
                Access::Read => (FsPerms::ReadOnly, OpenMode::READ),
                Access::Write => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
            };
            Ok(Opened {
                grant: grant.clone(),
                dir: dir(file, permissions, mode),
            })
        });
        Ok(Self {
            opened: opened.collect::<wasmtime::Result<_>>()?,
            denials: denials.clone(),
        })
    }

    /// What the guest finds opened. First of all comes a folder `/` that holds
    /// nothing: guests' libraries look for a path in the longest name that it begins
    /// with, so what is in none of the granted folders is asked of this one, and can
    /// be told in the log. Without it no call would reach the host.
    fn preopens(
        &self,
        table: &mut ResourceTable,
    ) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut preopens = Vec::with_capacity(self.opened.len() + 1);
        let everything = |opened: &Opened| {
            let mut parts = Path::new(&opened.grant.guest).components();
            parts.all(|part| matches!(part, Component::RootDir | Component::CurDir))
        };
        if let Some(nowhere) = NOWHERE.as_ref()
            && !self.opened.iter().any(everything)
        {
            let descriptor = table.push(Descriptor::Dir(nowhere.clone()))?;
            preopens.push((descriptor, "/".to_owned()));
        }
        for opened in &self.opened {
            let descriptor = table.push(Descriptor::Dir(opened.dir.clone()))?;
            preopens.push((descriptor, opened.grant.guest.clone()));
        }
        Ok(preopens)
    }

    /// Says that `path` below `dir` was denied.
    fn tell(&self, dir: &Dir, path: &str, access: Access) {
        let (doing, key) = match access {
            Access::Read => ("reading", "read"),
            Access::Write => ("writing to", "write"),
        };
        let mut what = format!("{doing} {path:?}");
        let allow = |folder: &str| self.denials.allow(key, folder);
        let remedy = if is_nowhere(dir) {
            folder_of(path).map_or_else(
                || "files are granted by their folder, and no grant can hold this one".to_owned(),
                |folder| format!("{} would allow it", allow(&folder)),
            )
        } else if let Some(opened) = self.opened(dir) {
            let folder = &opened.grant.guest;
            what = format!("{what} in the folder {folder:?}");
            let lands = opened.lands(path);
            if !lands.starts_with(&opened.grant.host) {
                let other = lands.parent().unwrap_or(&lands).display().to_string();
                let allow = allow(&other);
                format!("that leads out of the folder; {allow} would grant the one it leads to")
            } else if access == Access::Write && dir.perms == FsPerms::ReadOnly {
                format!("{} would allow it", allow(folder))
            } else {
                "a link leads out of the folder, which no grant allows, or the system refuses"
                    .to_owned()
            }
        } else {
            "what is below a granted folder is granted with it, and nothing else".to_owned()
        };
        self.denials.tell(Kind::Files, &what, &remedy);
    }

    /// Whether it is plain from `path` itself that it is not to be had.
    fn is_beyond(&self, dir: &Dir, path: &str) -> bool {
        dir.perms == FsPerms::ReadOnly
            || self
                .opened(dir)
                .is_some_and(|opened| !opened.lands(path).starts_with(&opened.grant.host))
    }

    fn opened(&self, dir: &Dir) -> Option<&Opened> {
        self.opened.iter().find(|opened| is_same(&opened.dir, dir))
    }
}

impl Opened {
    /// Where `path` would be without links.
    fn lands(&self, path: &str) -> PathBuf {
        normal(&self.grant.host.join(path))
    }
}

/// The folder that would have to be granted for `path`, which a guest's library has
/// made relative to `/`: as the host has it where there is such a folder, else as one
/// beside the configuration.
fn folder_of(path: &str) -> Option<String> {
    let path = Path::new(path.trim_start_matches('/'));
    let first = path
        .components()
        .find(|part| matches!(part, Component::Normal(_)))?;
    let folder = path.parent().filter(|parent| parent != &Path::new(""));
    let absolute = Path::new("/").join(first);
    if absolute.exists() {
        let folder = folder.unwrap_or(path);
        return Some(Path::new("/").join(folder).display().to_string());
    }
    folder.map(|folder| folder.display().to_string())
}

fn dir(file: File, permissions: FsPerms, mode: OpenMode) -> Dir {
    // Each store has a thread of its own, so a blocking call holds up nobody;
    // file calls are five times cheaper for it.
    Dir::new(file, permissions, mode, true)
}

/// A folder that was removed once it was open: nothing is in it, and nothing can be made in it.
static NOWHERE: LazyLock<Option<Dir>> = LazyLock::new(|| {
    let made = tempfile::tempdir().and_then(|folder| File::open(folder.path()));
    match made {
        Ok(file) => Some(dir(file, FsPerms::ReadOnly, OpenMode::READ)),
        Err(error) => {
            tracing::debug!("denied files will not be told, no temporary folder: {error}");
            None
        }
    }
});

fn is_nowhere(dir: &Dir) -> bool {
    NOWHERE
        .as_ref()
        .is_some_and(|nowhere| is_same(nowhere, dir))
}

fn is_same(one: &Dir, other: &Dir) -> bool {
    Arc::ptr_eq(&one.dir, &other.dir)
}

/// Opens a folder by its real path, following no link on the way.
fn open_real(path: &Path) -> io::Result<File> {
    let mut folder = openat(CWD, "/", THROUGH, Mode::empty())?;
    let mut parts = path
        .components()
        .filter(|part| !matches!(part, Component::RootDir))
        .peekable();
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_some() {
            THROUGH
        } else {
            LAST
        };
        folder = openat(&folder, part.as_os_str(), flags, Mode::empty())?;
    }
    Ok(folder.into())
}

const LAST: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// A folder on the way need not be readable.
#[cfg(target_os = "linux")]
const THROUGH: OFlags = LAST.union(OFlags::PATH);
#[cfg(not(target_os = "linux"))]
const THROUGH: OFlags = LAST;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_granted_by_its_folder() {
        assert_eq!(folder_of("etc/passwd").unwrap(), "/etc");
        assert_eq!(folder_of("/etc/ssl/cert.pem").unwrap(), "/etc/ssl");
        assert_eq!(folder_of("etc").unwrap(), "/etc");
        assert_eq!(folder_of("no-such-folder/a/b").unwrap(), "no-such-folder/a");
        for without in ["", ".", "/", "no-such-file"] {
            assert_eq!(folder_of(without), None, "{without:?}");
        }
    }

    #[test]
    fn a_real_path_is_opened_and_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("a/b")).unwrap();
        std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
        assert!(open_real(&real.join("a/b")).is_ok());
        assert!(open_real(Path::new("/")).is_ok());
        assert!(open_real(&real.join("link")).is_err());
        assert!(open_real(&real.join("link/b")).is_err());
        assert!(open_real(&real.join("a/none")).is_err());
    }
}
