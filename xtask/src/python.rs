//! Pythons and virtual environments: made once, and again where what they should hold changes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::{Run, run},
    workspace::Workspace,
};

/// The versions that the adapter runs on, oldest first.
const MINORS: [u32; 6] = [10, 11, 12, 13, 14, 15];

/// A Python that is installed.
#[derive(Clone, Debug)]
pub struct Python {
    pub program: PathBuf,
    pub minor: u32,
}

/// Every Python 3 that the adapter runs on and that is found, oldest first, one a version.
///
/// # Errors
///
/// Where there is none.
pub fn all() -> Result<Vec<Python>> {
    let found: Vec<Python> = MINORS.into_iter().filter_map(find).collect();
    if found.is_empty() {
        bail!(
            "no Python from 3.{} on is found; install one",
            MINORS.first().unwrap_or(&10)
        );
    }
    Ok(found)
}

/// The Python to do everything with that no version is named for: the usual one, if it is new enough.
///
/// # Errors
///
/// Where there is none.
pub fn usual() -> Result<Python> {
    let all = all()?;
    let usual = minor(Path::new("python3"));
    all.iter()
        .find(|python| Some(python.minor) == usual)
        .or(all.last())
        .cloned()
        .context("no Python is found")
}

/// On the path, or where pyenv keeps them: its stand-ins on the path refuse versions that are not chosen.
fn find(minor_wanted: u32) -> Option<Python> {
    let named = PathBuf::from(format!("python3.{minor_wanted}"));
    let usual = PathBuf::from("python3");
    let kept = run("pyenv")
        .arg("root")
        .quiet()
        .output_if_any()
        .map(|root| {
            let prefix = format!("3.{minor_wanted}.");
            let versions = fs::read_dir(Path::new(root.trim()).join("versions"));
            versions
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
                .map(|entry| entry.path().join("bin/python3"))
                .collect::<Vec<_>>()
        });
    [usual, named]
        .into_iter()
        .chain(kept.unwrap_or_default())
        .find(|program| minor(program) == Some(minor_wanted))
        .map(|program| Python {
            program,
            minor: minor_wanted,
        })
}

fn minor(program: &Path) -> Option<u32> {
    let printed = run(program)
        .args([
            "-c",
            "import sys, venv, ensurepip; print(sys.version_info[1])",
        ])
        .quiet()
        .output_if_any()?;
    printed.trim().parse().ok()
}

/// A virtual environment in the target folder.
pub struct Venv {
    path: PathBuf,
}

impl Venv {
    /// Makes the environment `name` with these packages, unless it is there with just these.
    ///
    /// # Errors
    ///
    /// Where it cannot be made, or a package cannot be had.
    pub fn prepare(
        workspace: &Workspace,
        name: &str,
        python: &Python,
        packages: &[&str],
    ) -> Result<Self> {
        let venv = Self {
            path: workspace.target("venvs").join(name),
        };
        let wanted = format!("3.{}\n{}\n", python.minor, packages.join("\n"));
        if venv.remembers("packages", &wanted) {
            return Ok(venv);
        }
        if venv.path.exists() {
            fs::remove_dir_all(&venv.path)?;
        }
        run(&python.program)
            .args(["-m", "venv"])
            .arg(&venv.path)
            .status()?;
        if !packages.is_empty() {
            venv.pip(packages)?;
        }
        venv.remember("packages", &wanted)?;
        Ok(venv)
    }

    /// Installs into it.
    ///
    /// # Errors
    ///
    /// Where pip fails.
    pub fn pip(&self, arguments: &[&str]) -> Result<()> {
        let pip = self.python().args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        pip.args(arguments).status()
    }

    /// Makes `folder` in the environment with just these packages, to be put on a path; none of what they need
    /// comes along.
    ///
    /// # Errors
    ///
    /// Where a package cannot be had.
    pub fn aside(&self, folder: &str, packages: &[&str]) -> Result<PathBuf> {
        let wanted = packages.join("\n");
        let path = self.path.join(folder);
        if self.remembers(folder, &wanted) {
            return Ok(path);
        }
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        let target = path.to_str().context("a path that is no text")?;
        self.pip(&[&["--no-deps", "--target", target], packages].concat())?;
        self.remember(folder, &wanted)?;
        Ok(path)
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.path.join("bin").join(name)
    }

    /// Its Python, to be run; nothing of another environment that may be active gets in.
    pub fn python(&self) -> Run {
        run(self.program("python"))
            .without_env("VIRTUAL_ENV")
            .without_env("PYTHONPATH")
    }

    /// Whether `remember` was last told the same.
    pub fn remembers(&self, what: &str, text: &str) -> bool {
        fs::read_to_string(self.note(what)).is_ok_and(|found| found == text)
    }

    /// Keeps a note in the environment, so that it goes when that goes.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn remember(&self, what: &str, text: &str) -> Result<()> {
        fs::write(self.note(what), text).context("a note cannot be kept in the environment")
    }

    fn note(&self, what: &str) -> PathBuf {
        self.path.join(format!("xtask-{what}"))
    }
}
