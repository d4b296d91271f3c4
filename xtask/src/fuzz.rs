//! `cargo xtask fuzz`: what parses foreign input, given input that nobody would write.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{guests, process::run, workspace::Workspace};

/// Feeds the parsers of foreign input with inputs that get ever stranger; fails where one panics
///
/// Examples: cargo xtask fuzz --seconds 600 frames; cargo xtask fuzz frames --input target/fuzz/frames/crash-…
#[derive(clap::Args)]
pub struct Arguments {
    /// How long for each target
    #[arg(long, env = "PYTEST_HOST_TEST_FUZZ_SECONDS", default_value_t = SECONDS)]
    seconds: u32,
    /// Run the one target on this input alone
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The targets, by default all in fuzz/fuzz_targets
    targets: Vec<String>,
}

const SECONDS: u32 = 30;
/// Targets that run at once.
const AT_ONCE: usize = 2;
/// Bytes of an input. Longer ones cost more than they find.
const LONGEST: u32 = 4096;
/// Seconds for one input: far more than any takes.
const SLOWEST: u32 = 20;

pub fn run_command(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    guests::build_dist(workspace)?;
    let known = targets(workspace)?;
    if let Some(other) = arguments.targets.iter().find(|name| !known.contains(name)) {
        bail!(
            "no target is named {other:?}; there are {}",
            known.join(", ")
        );
    }
    build(workspace)?;
    if let Some(input) = &arguments.input {
        let [target] = arguments.targets.as_slice() else {
            bail!(
                "--input goes with one target; there are {}",
                known.join(", ")
            );
        };
        return run(program(workspace, target)).arg(input).status();
    }
    let targets = match arguments.targets.as_slice() {
        [] => known,
        named => named.to_vec(),
    };
    all(workspace, &targets, arguments.seconds)
}

/// Runs every target, for as long as `PYTEST_HOST_TEST_FUZZ_SECONDS` says.
pub fn run_all(workspace: &Workspace) -> Result<()> {
    let seconds = match std::env::var("PYTEST_HOST_TEST_FUZZ_SECONDS") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("PYTEST_HOST_TEST_FUZZ_SECONDS={text}: should be a number"))?,
        Err(_) => SECONDS,
    };
    build(workspace)?;
    all(workspace, &targets(workspace)?, seconds)
}

fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.path("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)
        .with_context(|| format!("failed to list {}", workspace.show(&folder)))?
    {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// With the same flags as everything else, but for our own crates.
fn build(workspace: &Workspace) -> Result<()> {
    run("cargo")
        .args([
            "build",
            "--locked",
            "--package",
            "pytest-host-fuzz",
            "--bins",
        ])
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target(""))
        .env("RUSTC_WORKSPACE_WRAPPER", workspace.path("fuzz/instrument"))
        .status()
}

fn program(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.target("debug").join(target)
}

fn all(workspace: &Workspace, targets: &[String], seconds: u32) -> Result<()> {
    let mut failed = Vec::new();
    for some in targets.chunks(AT_ONCE) {
        let started: Result<Vec<_>> = some
            .iter()
            .map(|target| Fuzzing::start(workspace, target, seconds))
            .collect();
        for fuzzing in started? {
            failed.extend(fuzzing.finish(workspace)?);
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// A target under way.
struct Fuzzing {
    target: String,
    log: PathBuf,
    child: Child,
}

impl Fuzzing {
    fn start(workspace: &Workspace, target: &str, seconds: u32) -> Result<Self> {
        let folder = workspace.target("fuzz").join(target);
        // What was found on the way is kept, and gone on from the next time.
        let found = folder.join("corpus");
        fs::create_dir_all(&found).context("failed to create a folder for what is found")?;
        let log = folder.join("log.txt");
        let output = fs::File::create(&log).context("failed to create a log")?;
        let mut command = Command::new(program(workspace, target));
        command
            .arg(&found)
            .arg(workspace.path("fuzz/corpus").join(target))
            .arg(format!("-artifact_prefix={}/", folder.display()))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={SLOWEST}"))
            .args(["-seed=1", "-print_final_stats=1"])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        eprintln!("  $ {target} for {seconds} s");
        let child = command
            .spawn()
            .with_context(|| format!("failed to start {target}"))?;
        Ok(Self {
            target: target.to_owned(),
            log,
            child,
        })
    }

    /// Waits for it; says what it came to, and answers with how to see it again where it failed.
    fn finish(mut self, workspace: &Workspace) -> Result<Option<String>> {
        let status = self.child.wait()?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        if status.success() {
            eprintln!("  {}: {}", self.target, summary(&log));
            return Ok(None);
        }
        Ok(Some(failure(
            workspace,
            &self.target,
            status,
            &self.log,
            &log,
        )))
    }
}

fn summary(log: &str) -> String {
    let stat = |name: &str| {
        let line = log.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim)
    };
    let covered = log.lines().rev().find_map(|line| line.split_once(" cov: "));
    let branches = covered
        .and_then(|(_, rest)| rest.split(' ').next())
        .unwrap_or("?");
    format!(
        "{} inputs, {branches} branches, no panic",
        stat("stat::number_of_executed_units:")
    )
}

fn failure(
    workspace: &Workspace,
    target: &str,
    status: ExitStatus,
    file: &Path,
    log: &str,
) -> String {
    let input = log
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("the input", |(_, path)| path);
    let input = workspace.show(Path::new(input));
    let panic: Vec<&str> = log
        .lines()
        .skip_while(|line| !line.contains("panicked at") && !line.contains("ERROR: libFuzzer"))
        .take(3)
        .collect();
    format!(
        "{target}: {status}\n{}\n  all of it: {}\n  again: cargo xtask fuzz {target} --input {input}",
        panic.join("\n"),
        workspace.show(file)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_came_to_is_read_from_its_log() {
        let log = "#9\tDONE   cov: 12 ft: 30 corp: 1/1b\nstat::number_of_executed_units: 9\n";
        assert_eq!(summary(log), "9 inputs, 12 branches, no panic");
        assert_eq!(summary(""), "? inputs, ? branches, no panic");
    }
}
