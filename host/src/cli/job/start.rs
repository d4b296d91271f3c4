//! `host job start` and `host job collect`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use super::client::{Client, Server, path_of};
use super::logs;
use crate::cli::{TROUBLE, context};
use crate::config::BadInput;
use crate::job::{Job, State};
use crate::text::printable;

/// Start a pytest run, or one that has collected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job start --id nightly -- tests/ -k 'smoke and not slow'
  host job start --wait -- 'tests/test_api.py::test_get[a b]'
  host job start c1

Prints the job's id. With --wait prints what pytest prints, and ends with its exit code
(128+n where signal n ended it); Ctrl-C then ends this command, and not the job.")]
pub struct Start {
    /// A job that has collected: run its tests
    #[arg(conflicts_with_all = ["id", "collect_only", "cwd", "env", "python", "split_args", "pytest"])]
    job: Option<String>,
    #[command(flatten)]
    new: New,
    /// Only collect
    #[arg(long)]
    collect_only: bool,
    /// Print what it prints until it ends, and end as it does
    #[arg(long, conflicts_with = "json")]
    wait: bool,
    #[command(flatten)]
    server: Server,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// Collect tests, and print what there is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host job collect --id c1 -- tests/ -k smoke
  host job start c1

Ends with pytest's exit code.")]
pub struct Collect {
    #[command(flatten)]
    new: New,
    #[command(flatten)]
    server: Server,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
}

/// A job that is to be.
#[derive(Debug, clap::Args)]
struct New {
    /// Its name; one is made up by default
    #[arg(long)]
    id: Option<String>,
    /// The folder to run in, where serve.job.directories allows it
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<PathBuf>,
    /// A variable, where serve.job.environment allows it
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The interpreter, where serve.job.interpreters allows it
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Split each argument into words first, as pytest-relay-run does
    #[arg(long)]
    split_args: bool,
    /// pytest's own arguments
    #[arg(last = true, value_name = "PYTEST ARGS")]
    pytest: Vec<String>,
}

impl New {
    fn body(&self, collect_only: bool) -> anyhow::Result<Value> {
        let here = context::directory()?;
        let path = |path: &PathBuf| text(&here.join(path));
        let mut env = BTreeMap::new();
        for assignment in &self.env {
            let (name, value) = assignment
                .split_once('=')
                .ok_or_else(|| BadInput(format!("--env {assignment:?}: should be NAME=VALUE")))?;
            env.insert(name, value);
        }
        Ok(json!({
            "id": self.id,
            "args": self.pytest,
            "collect_only": collect_only,
            "splitArgs": self.split_args,
            "cwd": self.cwd.as_ref().map(path).transpose()?,
            "env": env,
            "python": self.python.as_ref().map(path).transpose()?,
        }))
    }

    async fn create(&self, client: &Client, collect_only: bool) -> anyhow::Result<Job> {
        let body = self.body(collect_only)?;
        client.read(Method::POST, "/api/jobs", Some(&body)).await
    }
}

fn text(path: &Path) -> Result<String, BadInput> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| BadInput(format!("{}: should be UTF-8", path.display())))
}

pub async fn start(args: &Start) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    let job = match &args.job {
        Some(id) => again(&client, id).await?,
        None => args.new.create(&client, args.collect_only).await?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
    } else if args.collect_only && args.wait {
        return Ok(told(&job));
    } else if args.wait {
        logs::follow(&client, &job.id).await?;
        let job = client.job(&job.id).await?;
        note(&job);
        return Ok(code(&job));
    } else {
        println!("{}", printable(&job.id));
    }
    Ok(ExitCode::SUCCESS)
}

async fn again(client: &Client, id: &str) -> anyhow::Result<Job> {
    let known = client.job(id).await?;
    if known.state != State::Collected {
        let state = known.state.word();
        return Err(BadInput(format!(
            "{id:?} is {state}: only a job that has collected can be started"
        ))
        .into());
    }
    let body = json!({"action": "start"});
    let path = path_of(id, "/actions");
    client.read(Method::POST, &path, Some(&body)).await
}

pub async fn collect(args: &Collect) -> anyhow::Result<ExitCode> {
    let client = args.server.client()?;
    let job = args.new.create(&client, true).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&job)?);
        return Ok(code(&job));
    }
    Ok(told(&job))
}

fn told(job: &Job) -> ExitCode {
    logs::print(job.text.as_deref().unwrap_or_default());
    code(job)
}

/// What the host has to say is not among what the process printed.
fn note(job: &Job) {
    if job.returncode.is_none() {
        let text = job.text.as_deref().unwrap_or_default();
        let notes = text
            .lines()
            .rev()
            .take_while(|line| line.starts_with("host: "));
        for note in notes {
            eprintln!("{}", printable(note));
        }
    }
}

/// As a shell has it.
fn code(job: &Job) -> ExitCode {
    let code = match job.returncode {
        Some(code) if code < 0 => 128 - code,
        Some(code) => code,
        None => TROUBLE.into(),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(TROUBLE))
}
