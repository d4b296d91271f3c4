//! `host runs prune`

use std::process::ExitCode;
use std::time::SystemTime;

use super::size;
use crate::cli::TROUBLE;
use crate::config::Config;
use crate::state::prune::{Limit, Mode, Old, Pruned, prune};
use crate::state::{StateFolder, Wait};
use crate::text::printable;
use crate::watch::words;

/// Remove the runs that are beyond what `keep` in host.toml says.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host runs prune --dry-run
  PYTEST_HOST_KEEP__RUNS=10 host runs prune

The oldest go first. Never one that a core works on; one that has something left to
deliver only when it is too old.")]
pub struct Args {
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let mode = if args.dry_run {
        Mode::DryRun
    } else {
        Mode::Remove
    };
    let pruned = match StateFolder::find(config.root()) {
        Some(state) => prune(&state, &config.keep, SystemTime::now(), mode, Wait::Yes)?,
        None => None,
    };
    let pruned = pruned.unwrap_or_default();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&pruned)?);
    } else {
        print!("{}", text(&pruned, mode));
    }
    let failed = pruned.kept.iter().any(|old| old.error.is_some());
    Ok(if failed {
        ExitCode::from(TROUBLE)
    } else {
        ExitCode::SUCCESS
    })
}

fn text(pruned: &Pruned, mode: Mode) -> String {
    let removed = match mode {
        Mode::Remove => "removed",
        Mode::DryRun => "would remove",
    };
    let mut lines: Vec<String> = Vec::new();
    for old in &pruned.removed {
        let left = old.left.as_deref();
        let left = left.map_or_else(String::new, |left| format!("; not delivered: {left}"));
        lines.push(format!("{removed} {}{left}", what(old)));
    }
    for old in &pruned.kept {
        let why = old.error.as_deref().or(old.left.as_deref());
        lines.push(format!("kept {}; {}", what(old), why.unwrap_or_default()));
    }
    if pruned.kept.iter().any(|old| old.left.is_some()) {
        lines.push("what is left goes out with: host drain".to_owned());
    }
    if pruned.removed.is_empty() {
        lines.push("nothing to remove".to_owned());
    } else {
        let bytes = pruned.removed.iter().map(|old| old.bytes).sum();
        let count = pruned.removed.len();
        let runs = if count == 1 { "run" } else { "runs" };
        lines.push(format!("{removed} {count} {runs}, {}", size(bytes)));
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

/// `2026-11-21T10-10-42-3f9a, 1.2 MiB, 31days old (keep.age)`
fn what(old: &Old) -> String {
    let limit = match old.limit {
        Limit::Age => "keep.age",
        Limit::Runs => "keep.runs",
        Limit::Size => "keep.size",
    };
    let age = words::took(old.age);
    format!("{}, {}, {age} old ({limit})", old.run, size(old.bytes))
}
