//! What builds sinks in Python and JavaScript, for the tests of that.

use std::{ffi::OsString, fs};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::run,
    python::{self, Venv},
    workspace::Workspace,
};

const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
/// Of the project's folder `xtask/tools`: what npm installs, and just that.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs them, and answers with their folders as a path has them.
pub fn prepare(workspace: &Workspace) -> Result<OsString> {
    let venv = Venv::prepare(
        workspace,
        "componentize",
        &python::usual()?,
        &[COMPONENTIZE_PY],
    )?;
    let programs = venv.program("componentize-py");
    let programs = programs.parent().context("a program without a folder")?;
    let folder = workspace.target("tools");
    fs::create_dir_all(&folder).context("failed to create target/tools")?;
    let mut is_new = !folder.join("node_modules/.bin/jco").exists();
    for name in MANIFESTS {
        let wanted = fs::read(workspace.path("xtask/tools").join(name))
            .with_context(|| format!("failed to read xtask/tools/{name}"))?;
        let kept = folder.join(name);
        if fs::read(&kept).ok().as_ref() != Some(&wanted) {
            fs::write(&kept, wanted).with_context(|| format!("failed to write {name}"))?;
            is_new = true;
        }
    }
    if is_new {
        if !run("npm").arg("--version").succeeds() {
            bail!(
                "npm is not there, which the tests of sinks in JavaScript need; it comes with Node.js 20 or later"
            );
        }
        run("npm")
            .args([
                "ci",
                "--no-fund",
                "--no-audit",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .current_dir(&folder)
            .status()?;
    }
    let folders = [programs.to_owned(), folder.join("node_modules/.bin")];
    Ok(std::env::join_paths(folders)?)
}
