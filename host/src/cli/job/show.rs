//! `host job show`

use std::process::ExitCode;

use super::client::Server;
use super::logs;
use crate::text::printable;

/// Show a job and what it has printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job show nightly
  host job show nightly --json")]
pub struct Args {
    job: String,
    #[command(flatten)]
    server: Server,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let job = args.server.client()?.job(&args.job).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
        return Ok(ExitCode::SUCCESS);
    }
    let code = job.returncode.map(|code| format!(", exit code {code}"));
    let state = job.state.word();
    println!(
        "{}: {state}{}",
        printable(&job.id),
        code.unwrap_or_default()
    );
    if let Some(text) = &job.text {
        println!();
        logs::print(text);
    }
    Ok(ExitCode::SUCCESS)
}
