//! `host job stop` and `host job rm`

use std::process::ExitCode;

use http::Method;
use serde_json::json;

use super::client::{Server, path_of};
use crate::job::Job;
use crate::text::printable;

/// Stop a job, and wait until it has ended.
///
/// Its processes are sent SIGINT; after `serve.stop-grace` SIGTERM, and after that again SIGKILL.
/// In the end whatever it has started is gone, too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job stop nightly")]
pub struct Stop {
    job: String,
    #[command(flatten)]
    server: Server,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Remove jobs from the list.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job rm nightly
  host job rm --all

A job that runs goes on to its end: host job stop")]
pub struct Rm {
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    job: Vec<String>,
    /// All jobs
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    server: Server,
}

pub async fn stop(args: &Stop) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    let body = json!({"action": "stop"});
    let path = path_of(&args.job, "/actions");
    let job: Job = client.read(Method::POST, &path, Some(&body)).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
    } else {
        println!("{}: {}", printable(&job.id), job.state.word());
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn rm(args: &Rm) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    if args.all {
        client.ask(Method::DELETE, "/api/jobs", None).await?;
    }
    for id in &args.job {
        client.ask(Method::DELETE, &path_of(id, ""), None).await?;
    }
    Ok(ExitCode::SUCCESS)
}
