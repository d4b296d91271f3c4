//! Where things lie.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Found at run time, since a workspace may be moved after xtask was built.
    pub fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("xtask lies in no workspace")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A path in the one target folder, where all that is built and remembered goes.
    pub fn target(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join("target").join(relative)
    }

    /// A path as a reader of the terminal wants it.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
