//! `host doctor`: what is installed, and whether it works.

use std::net::ToSocketAddrs as _;
use std::process::ExitCode;
use std::time::Duration;

use super::{TROUBLE, context, python};
use crate::config::{Config, Redact, Request, split_names};
use crate::guest::cache;
use crate::guest::sink::Sink;
use crate::secrets::scrubbed;
use crate::state::RuntimeFolder;

/// How long to try to reach what a sink talks to.
const REACH: Duration = Duration::from_secs(3);

/// Tell what is installed, which pytest would run, which sinks, and whether they can be reached.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host doctor
  host doctor --sinks publish --set publish.url=http://127.0.0.1:7777/ --json

Exits with 0 where all is well, with 1 where something is not.")]
pub struct Args {
    /// The sinks to look at [default: those of host.toml]
    #[arg(long, value_name = "A,B")]
    sinks: Option<String>,
    /// A sink's setting, over those of host.toml
    #[arg(long = "set", value_name = "SINK.KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    python: python::Choice,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, serde::Serialize)]
struct Finding {
    what: String,
    ok: bool,
    found: String,
}

fn good(what: &str, found: impl Into<String>) -> Finding {
    Finding {
        what: what.to_owned(),
        ok: true,
        found: scrubbed(found.into()),
    }
}

fn bad(what: &str, found: impl std::fmt::Display) -> Finding {
    Finding {
        what: what.to_owned(),
        ok: false,
        found: scrubbed(found.to_string()),
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let mut findings = vec![good("host", env!("CARGO_PKG_VERSION"))];
    let directory = context::directory()?;
    let config = context::config(&directory);
    let redact = config.as_ref().map(|config| config.redact.clone());
    findings.extend(pytest(&args.python, &redact.unwrap_or_default()));
    match config {
        Ok(config) => {
            let file = config.file.as_ref().map(|file| file.display().to_string());
            findings.push(good(
                "configuration",
                file.unwrap_or_else(|| "none; host init writes one".into()),
            ));
            findings.push(state(&config));
            findings.push(folders());
            findings.extend(sinks(args, &config));
        }
        Err(error) => findings.push(bad("configuration", error)),
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        let width = findings
            .iter()
            .map(|finding| finding.what.len())
            .max()
            .unwrap_or(0);
        for finding in &findings {
            let mark = if finding.ok { "ok " } else { "BAD" };
            println!("{mark}  {:width$}  {}", finding.what, finding.found);
        }
    }
    let well = findings.iter().all(|finding| finding.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TROUBLE)
    })
}

fn pytest(choice: &python::Choice, redact: &Redact) -> Vec<Finding> {
    if let Some(runner) = &choice.runner {
        return vec![good("runner", runner)];
    }
    let probe = match choice
        .interpreter()
        .and_then(|python| python::probe(&python, redact))
    {
        Ok(probe) => probe,
        Err(error) => return vec![bad("python", error)],
    };
    let installed = |name: &str, version: Option<&String>| match version {
        Some(version) => good(name, version),
        None => bad(name, "not installed there"),
    };
    let redact = probe.check_patterns(redact).err();
    let mut findings = vec![
        good("python", format!("{} ({})", probe.python, probe.executable)),
        installed("pytest", probe.pytest.as_ref()),
        installed("pytest-host", probe.adapter.as_ref()),
    ];
    findings.extend(redact.map(|problem| bad("redact", problem)));
    findings
}

fn state(config: &Config) -> Finding {
    match context::state(config) {
        Ok(state) => good(
            "runs",
            format!("{} kept in {}", state.runs().len(), state.path().display()),
        ),
        Err(error) => bad("runs", error),
    }
}

fn folders() -> Finding {
    match cache::folder() {
        Some(folder) => good("compiled modules", folder.display().to_string()),
        None => bad(
            "compiled modules",
            "not kept: every run compiles its guests anew",
        ),
    }
}

fn sinks(args: &Args, config: &Config) -> Vec<Finding> {
    let request = Request {
        sinks: args.sinks.as_deref().map(split_names),
        set: args.set.clone(),
        ..Request::default()
    };
    let specs = match config.select(&request) {
        Ok(specs) => specs,
        Err(error) => return vec![bad("sinks", error)],
    };
    if specs.is_empty() {
        return vec![good(
            "sinks",
            format!(
                "none by default; known are {}",
                config.known_sinks().join(", ")
            ),
        )];
    }
    let own = [config.root().join(".pytest_host"), RuntimeFolder::base()];
    let mut findings = Vec::new();
    for spec in specs {
        let what = format!("sink {}", spec.name);
        match Sink::load(spec, &own) {
            Ok(sink) => findings.extend(reach(&what, &sink)),
            Err(error) => findings.push(bad(&what, error)),
        }
    }
    findings
}

/// Whether what a sink was granted is there.
fn reach(what: &str, sink: &Sink) -> Vec<Finding> {
    let mut findings = vec![good(what, "loads, and accepts its settings")];
    for folder in &sink.grants.folders {
        findings.push(good(what, format!("can use {}", folder.host.display())));
    }
    for grant in &sink.grants.http {
        let Some((host, port)) = grant.authority() else {
            continue;
        };
        let reached = (host, port).to_socket_addrs().and_then(|addresses| {
            let mut last = std::io::Error::other("it has no address");
            for address in addresses {
                match std::net::TcpStream::connect_timeout(&address, REACH) {
                    Ok(_) => return Ok(()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        });
        findings.push(match reached {
            Ok(()) => good(what, format!("reaches {grant}")),
            Err(error) => bad(what, format!("cannot reach {grant}: {error}")),
        });
    }
    findings
}
