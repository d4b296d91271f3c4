//! Builds the guests, and leaves their components where the host's build and the tests look for them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{
    toolchain::{self, Toolchain, Way},
    workspace::Workspace,
};

/// Builds the guests to target/guests/dist
///
/// Example: cargo xtask guests --fixtures
#[derive(clap::Args)]
pub struct Arguments {
    /// Build the hostile guests of the tests too, to target/guests/fixtures
    #[arg(long)]
    fixtures: bool,

    /// How to get the target wasm32-wasip2 [default: rustup where that works, else Debian's packages]
    #[arg(long, value_enum)]
    toolchain: Option<Way>,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let toolchain = toolchain::prepare(workspace, arguments.toolchain)?;
    dist(workspace, &toolchain)?;
    if arguments.fixtures {
        fixtures(workspace, &toolchain)?;
    }
    Ok(())
}

/// The guests that the host carries.
pub fn build_dist(workspace: &Workspace) -> Result<()> {
    dist(workspace, &toolchain::prepare(workspace, None)?)
}

/// Those, and the ones that tests need.
pub fn build_all(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::prepare(workspace, None)?;
    dist(workspace, &toolchain)?;
    fixtures(workspace, &toolchain)
}

fn dist(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let dist = workspace.target("guests/dist");
    build(workspace, toolchain, &workspace.path("guests"), &dist)
}

fn fixtures(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let source = workspace.path("tests/fixtures/guests");
    build(
        workspace,
        toolchain,
        &source,
        &workspace.target("guests/fixtures"),
    )
}

/// Builds a workspace of guests and keeps its components, and whatever stands there as text, in `dist`.
fn build(workspace: &Workspace, toolchain: &Toolchain, source: &Path, dist: &Path) -> Result<()> {
    let messages = toolchain
        .build(workspace, source)?
        .args(["--locked", "--message-format=json-render-diagnostics"])
        .output()?;
    let mut components = Vec::new();
    for path in components_of(&messages)? {
        let name = path
            .file_name()
            .context("a component without a name")?
            .to_string_lossy()
            .replace('_', "-");
        let bytes =
            fs::read(&path).with_context(|| format!("failed to read {}", workspace.show(&path)))?;
        components.push((name, bytes));
    }
    components.extend(texts_in(workspace, source, |text| wat::parse_str(text))?);
    let hostile = source.join("hostile");
    if hostile.is_dir() {
        components.extend(texts_in(workspace, &hostile, sink_wat::component)?);
    }
    keep(workspace, components, dist)
}

/// What cargo says of each thing that it built or found built.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn components_of(messages: &str) -> Result<Vec<PathBuf>> {
    let mut components = Vec::new();
    for line in messages.lines() {
        let message: Message =
            serde_json::from_str(line).context("cargo's messages are not as expected")?;
        components.extend(
            message
                .filenames
                .into_iter()
                .filter(|path| path.extension().is_some_and(|e| e == "wasm")),
        );
    }
    Ok(components)
}

/// Modules that no compiler would make, written as text and made one by `assemble`.
fn texts_in(
    workspace: &Workspace,
    folder: &Path,
    assemble: impl Fn(&str) -> Result<Vec<u8>, wat::Error>,
) -> Result<Vec<(String, Vec<u8>)>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder)
        .with_context(|| format!("failed to list {}", workspace.show(folder)))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            let name = path
                .with_extension("wasm")
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path)
                .with_context(|| format!("failed to read {}", workspace.show(&path)))?;
            let module = assemble(&text)
                .with_context(|| format!("{} is no module", workspace.show(&path)))?;
            modules.push((name, module));
        }
    }
    Ok(modules)
}

/// Writes what changed and nothing else: the host is built anew whenever a component's time stamp changes.
fn keep(workspace: &Workspace, components: Vec<(String, Vec<u8>)>, dist: &Path) -> Result<()> {
    fs::create_dir_all(dist)
        .with_context(|| format!("failed to create {}", workspace.show(dist)))?;
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        let is_component = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        let is_current = components
            .iter()
            .any(|(name, _)| path.file_name().is_some_and(|file| file == name.as_str()));
        if is_component && !is_current {
            fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", workspace.show(&path)))?;
        }
    }
    for (name, bytes) in components {
        let path = dist.join(name);
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            continue;
        }
        // Whole or not at all: a host may be under construction from it.
        let new = path.with_extension("new");
        fs::write(&new, &bytes)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("failed to write {}", workspace.show(&path)))?;
        eprintln!(
            "  {} ({} KB)",
            workspace.show(&path),
            bytes.len().div_ceil(1000)
        );
    }
    Ok(())
}
