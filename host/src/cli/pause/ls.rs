//! `host pause ls`

use std::process::ExitCode;

use serde::Serialize;

use super::Where;
use crate::pause::{Found, Status};
use crate::text::printable;

/// List the pauses that are open.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause ls
  host pause ls --all --json")]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// Those that are over or stale, too
    #[arg(short, long)]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// As in `docs/pausing.md`, *With --json*.
#[derive(Debug, Serialize)]
pub struct Listed<'a> {
    status: &'a str,
    pause_id: &'a str,
    run_id: &'a str,
    kind: Option<&'a str>,
    nodeid: &'a str,
    task: &'a str,
    original_failure: &'a str,
    timeout: f64,
    created_at: f64,
    pid: Option<u32>,
    hostname: Option<&'a str>,
    worker_id: Option<&'a str>,
    pause_file: Option<String>,
    run: Option<&'a str>,
    left: Option<f64>,
}

impl<'a> From<&'a Found> for Listed<'a> {
    fn from(found: &'a Found) -> Self {
        let record = &found.record;
        Self {
            status: found.status.word(),
            pause_id: &record.pause_id,
            run_id: &record.run_id,
            kind: record.kind.as_deref(),
            nodeid: &record.nodeid,
            task: &record.task,
            original_failure: &record.original_failure,
            timeout: record.timeout,
            created_at: record.created_at,
            pid: record.pid,
            hostname: record.hostname.as_deref(),
            worker_id: record.worker_id.as_deref(),
            pause_file: found.path.as_ref().map(|path| path.display().to_string()),
            run: found.open.as_ref().map(|open| open.run.as_str()),
            left: found.open.as_ref().map(|open| open.left),
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut all = args.place.ways()?.all();
    all.retain(|found| args.all || found.status == Status::Pending);
    all.sort_by(|a, b| {
        let by_status = a.status.word().cmp(b.status.word());
        by_status.then(a.record.created_at.total_cmp(&b.record.created_at))
    });
    if args.json {
        let listed: Vec<Listed> = all.iter().map(Listed::from).collect();
        println!("{}", serde_json::to_string_pretty(&listed)?);
        return Ok(ExitCode::SUCCESS);
    }
    for found in &all {
        println!("{}", line(found));
    }
    Ok(ExitCode::SUCCESS)
}

/// Tab-separated, as pytest-live-pause has it.
fn line(found: &Found) -> String {
    let record = &found.record;
    let pid = record
        .pid
        .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let path = found.path.as_ref().map(|path| path.display().to_string());
    [
        printable(found.status.word()),
        printable(&record.pause_id),
        printable(&record.nodeid),
        format!("pid={pid}"),
        format!("worker={}", record.worker_id.as_deref().unwrap_or("-")),
        path.unwrap_or_else(|| "-".to_owned()),
    ]
    .join("\t")
}
