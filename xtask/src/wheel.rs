//! The wheel: the plugin, and the host with its guests inside.

use std::{
    fs,
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    guests,
    process::{Run, run},
    python::{self, Venv},
    workspace::Workspace,
};

/// Builds the wheel to target/wheels
///
/// Example: cargo xtask wheel --profile release
#[derive(clap::Args)]
pub struct Arguments {
    /// How to compile the host
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    Dev,
    Release,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    /// `run`, to compile the host so: for tests with lints, as they have compiled it before.
    fn prepare(self, run: Run) -> Run {
        match self {
            Self::Dev => run.linted(),
            Self::Release => run,
        }
    }
}

/// What the wheel is made from; the guests are built first and looked at where they end up.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "host",
    "wit",
    "pyadapter/src",
    "pyadapter/pyproject.toml",
    "pyadapter/README.md",
    "target/guests/dist",
];

pub fn run_command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let wheel = build(workspace, arguments.profile)?;
    println!("{}", workspace.show(&wheel));
    Ok(())
}

/// Builds the wheel, unless it is there and nothing that it is made from has changed.
///
/// # Errors
///
/// Where something cannot be built.
pub fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    guests::build_dist(workspace)?;
    let dist = workspace.target("wheels").join(profile.name());
    let note = dist.join("made-from");
    let print = fingerprint(workspace)?;
    if let (Ok(wheel), Ok(true)) = (
        only_wheel(&dist),
        fs::read_to_string(&note).map(|old| old == print),
    ) {
        return Ok(wheel);
    }
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    compile(workspace, profile)?;
    let venv = Venv::prepare(workspace, "build", &python::usual()?, &[])?;
    profile
        .prepare(venv.python())
        .args([
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--wheel-dir",
        ])
        .arg(&dist)
        .arg("./pyadapter")
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target(""))
        .env(
            "MATURIN_PEP517_ARGS",
            format!("--profile {}", profile.name()),
        )
        .status()?;
    fs::write(&note, print)?;
    only_wheel(&dist)
}

/// Compiles the host before pip does, which does not show how far a compiler has come, and then finds it done.
///
/// # Errors
///
/// Where it cannot be compiled.
pub fn compile(workspace: &Workspace, profile: Profile) -> Result<()> {
    let cargo = run("cargo")
        .args(["build", "--locked", "--package", "pytest-host"])
        .args(["--profile", profile.name()])
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target(""));
    profile.prepare(cargo).status()
}

/// Installs a wheel into an environment, unless it is the one that is there.
///
/// # Errors
///
/// Where pip fails.
pub fn install(venv: &Venv, wheel: &Path) -> Result<()> {
    let print = format!("{:016x}", hash_file(wheel, DefaultHasher::new())?.finish());
    if venv.remembers("wheel", &print) {
        return Ok(());
    }
    let wheel = wheel
        .to_str()
        .context("the workspace's path is not UTF-8")?;
    venv.pip(&["--no-deps", "--force-reinstall", wheel])?;
    venv.remember("wheel", &print)
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    let wheels: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .collect();
    match wheels.as_slice() {
        [wheel] => Ok(wheel.clone()),
        _ => bail!(
            "{} wheels in {} where there should be one",
            wheels.len(),
            folder.display()
        ),
    }
}

/// Of all that the wheel is made from: contents, not time stamps, which a fresh clone has new.
///
/// # Errors
///
/// Where something of it cannot be read.
pub fn fingerprint(workspace: &Workspace) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        hasher = hash(&workspace.path(source), hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash(path: &Path, mut hasher: DefaultHasher) -> Result<DefaultHasher> {
    if path.file_name().is_some_and(|name| name == "__pycache__") {
        return Ok(hasher);
    }
    if !path.is_dir() {
        return hash_file(path, hasher);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    for entry in entries {
        hasher = hash(&entry, hasher)?;
    }
    Ok(hasher)
}

fn hash_file(path: &Path, mut hasher: DefaultHasher) -> Result<DefaultHasher> {
    let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    hasher.write(path.file_name().unwrap_or_default().as_encoded_bytes());
    hasher.write_usize(bytes.len());
    hasher.write(&bytes);
    Ok(hasher)
}
