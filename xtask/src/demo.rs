//! `cargo xtask demo`: all the set-up, then the main job on a small suite, and what came of it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guests,
    python::{self, Venv},
    steps::Steps,
    wheel::{self, Profile},
    workspace::Workspace,
};

/// Does all the set-up, runs a sample suite through two sinks, and shows what arrived
///
/// Example: cargo xtask demo
#[derive(clap::Args)]
pub struct Arguments {}

const PACKAGES: [&str; 2] = ["pytest==9.2.0", "pytest-xdist==3.8.0"];
/// How many of the files that `pubdir` wrote are listed.
const LISTED: usize = 14;

pub fn run_command(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new();
    steps.step("guests", || guests::build_dist(workspace))?;
    let venv = steps.step("environment, with the host (compiled once)", || {
        let venv = Venv::prepare(workspace, "demo", &python::usual()?, &PACKAGES)?;
        install(workspace, &venv)?;
        Ok(venv)
    })?;
    steps.step("demo", || show(workspace, &venv))
}

/// `pip install ./pyadapter`, as the README has it, unless nothing has changed since.
fn install(workspace: &Workspace, venv: &Venv) -> Result<()> {
    let print = wheel::fingerprint(workspace)?;
    if venv.remembers("installed", &print) {
        return Ok(());
    }
    wheel::compile(workspace, Profile::Release)?;
    venv.python()
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--force-reinstall",
            "--no-deps",
        ])
        .arg("./pyadapter")
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target(""))
        .status()?;
    venv.remember("installed", &print)
}

fn show(workspace: &Workspace, venv: &Venv) -> Result<()> {
    let suite = fresh_suite(workspace)?;
    let log = suite.join("received.jsonl");
    let receiver = Receiver::start(workspace, venv, &log)?;
    let config = fs::read_to_string(workspace.path("xtask/demo/host.toml"))?;
    fs::write(
        suite.join("host.toml"),
        config.replace("http://127.0.0.1:7777", &receiver.url),
    )?;

    println!(
        "In {}, with a receiver at {}:\n",
        workspace.show(&suite),
        receiver.url
    );
    println!("$ host run --sinks publish,pubdir");
    // The suite has failing tests on purpose: pytest's exit code 1 is what it should be.
    let status = Command::new(venv.program("host"))
        .args(["run", "--sinks", "publish,pubdir"])
        .current_dir(&suite)
        .env_remove("VIRTUAL_ENV")
        .env_remove("PYTHONPATH")
        .status()
        .context("failed to start host")?;
    ensure!(
        status.code() == Some(1),
        "host run ended with {status}, where pytest's exit code 1 was expected"
    );
    let posted = posted(&log)?;
    let written = written(&suite.join("results"))?;
    drop(receiver);
    ensure!(
        posted == written.results,
        "publish delivered {posted} results, pubdir {}",
        written.results
    );
    Ok(())
}

/// A copy of the sample suite, in a folder of its own.
fn fresh_suite(workspace: &Workspace) -> Result<PathBuf> {
    let suite = workspace.target("demo");
    if suite.exists() {
        fs::remove_dir_all(&suite)?;
    }
    fs::create_dir_all(&suite)?;
    let samples = workspace.path("xtask/demo");
    for entry in fs::read_dir(&samples)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "py" || extension == "ini")
        {
            fs::copy(&path, suite.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(suite)
}

/// A receiver of results on a free port; ends with this.
struct Receiver {
    child: Child,
    url: String,
}

impl Receiver {
    fn start(workspace: &Workspace, venv: &Venv, log: &Path) -> Result<Self> {
        let mut child = Command::new(venv.program("python"))
            .arg(workspace.path("tests/receiver.py"))
            .arg("--log")
            .arg(log)
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the receiver")?;
        let output = child.stdout.take().context("the receiver has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line
            .trim()
            .strip_prefix("listening ")
            .context("the receiver does not listen")?;
        Ok(Self {
            url: url.to_owned(),
            child,
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lists what the receiver got; how many results.
fn posted(log: &Path) -> Result<usize> {
    println!("\nWhat arrived at the receiver:\n");
    let lines = fs::read_to_string(log).context("nothing arrived")?;
    for line in lines.lines() {
        let request: serde_json::Value = serde_json::from_str(line)?;
        let text = |key: &str| {
            request
                .pointer(&format!("/json/{key}"))
                .and_then(|v| v.as_str())
                .unwrap_or("?")
        };
        let why = request
            .pointer("/json/excinfo/value")
            .and_then(|v| v.as_str());
        let why = why
            .and_then(|why| why.lines().next())
            .map(|why| format!("  {why}"))
            .unwrap_or_default();
        let path = request.get("path").and_then(|v| v.as_str()).unwrap_or("?");
        println!(
            "  POST {path}  {:4}  {}{why}",
            text("result"),
            text("nodeid")
        );
    }
    Ok(lines.lines().count())
}

struct Written {
    results: usize,
}

/// Lists what `pubdir` wrote.
fn written(folder: &Path) -> Result<Written> {
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    println!(
        "\nWhat was written to results/ ({} files, of which the first):\n",
        files.len()
    );
    for file in files.iter().take(LISTED) {
        println!("  {file}");
    }
    let results = files
        .iter()
        .filter(|file| file.ends_with("/result.json"))
        .count();
    let failed = files.iter().find(|file| file.ends_with(".fail/brief.txt"));
    if let Some(failed) = failed {
        println!("\nresults/{failed}:\n");
        for line in fs::read_to_string(folder.join(failed))?.lines() {
            println!("  {line}");
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files
        .iter()
        .filter_map(|file| file.strip_suffix("/result.json"))
    {
        let outcome = file.rsplit('.').next().unwrap_or("?");
        *counts.entry(outcome).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    println!("\n{results} results: {}", counts.join(", "));
    Ok(Written { results })
}

fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            files.push(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}
