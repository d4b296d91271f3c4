//! `host job ls`

use std::process::ExitCode;

use http::Method;

use super::client::Server;
use crate::job::Job;
use crate::text::printable;

/// List the jobs, the oldest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job ls
  host job ls --json")]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    let jobs: Vec<Job> = client.read(Method::GET, "/api/jobs", None).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&jobs)?);
    } else if jobs.is_empty() {
        println!("no jobs");
    } else {
        print!("{}", table(&jobs));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(jobs: &[Job]) -> String {
    let ids: Vec<String> = jobs.iter().map(|job| printable(&job.id)).collect();
    let width = ids
        .iter()
        .map(|id| id.chars().count())
        .max()
        .unwrap_or(0)
        .max(3);
    let mut text = format!("{:width$}  STATE        EXIT\n", "JOB");
    for (id, job) in ids.iter().zip(jobs) {
        let code = job
            .returncode
            .map(|code| code.to_string())
            .unwrap_or_default();
        let line = format!("{id:width$}  {:11}  {code}", job.state.word());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::State;

    #[test]
    fn one_line_a_job() {
        let job = |id: &str, state, returncode| Job {
            id: id.to_owned(),
            state,
            returncode,
            text: None,
        };
        let jobs = [
            job("nightly\x1b[31m é", State::Done, Some(-2)),
            job("b", State::InProgress, None),
        ];
        insta::assert_snapshot!(table(&jobs), @r"
        JOB        STATE        EXIT
        nightly é  done         -2
        b          in-progress
        ");
    }
}
