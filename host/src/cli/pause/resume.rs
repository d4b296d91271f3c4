//! `host pause resume`

use std::process::ExitCode;

use serde_json::json;

use super::{Where, refused};
use crate::cli::TROUBLE;
use crate::pause::{Found, Status, Ways, answer_by_file};
use crate::protocol::control::{FromControl, ToControl};
use crate::protocol::pause::{Ask, Decision};
use crate::text::printable;

/// Let a paused test go on.
///
/// Says "accepted" once the test has taken the answer; only the first one is taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause resume 7634c083d61f423bb4b782900cbaa5d9
  host pause resume 7634c083d61f423bb4b782900cbaa5d9 --result true --reason approved
  host pause resume /tmp/pytest-live-pause/runs/3c2d…/pauses/1982….json --failure-reason known")]
pub struct Args {
    /// A pause's id, or its file
    target: String,
    #[command(flatten)]
    place: Where,
    /// Explain a failure: added to the test's report
    #[arg(long, value_name = "TEXT")]
    failure_reason: Option<String>,
    /// Answer a checkpoint
    #[arg(long, value_name = "true|false|none", value_parser = ["true", "false", "none"])]
    result: Option<String>,
    /// Explain the answer to a checkpoint
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let ways = args.place.ways()?;
    let found = match ways.find(&args.target) {
        Ok(found) => found,
        Err(lines) => return Ok(tell(args, &args.target, &lines)),
    };
    let id = found.record.pause_id.clone();
    match answer(args, &ways, &found) {
        Ok(()) if args.json => println!("{}", json!({"pause_id": id, "accepted": true})),
        Ok(()) => println!("resume command accepted for {}", printable(&id)),
        Err(problem) => return Ok(tell(args, &id, &[problem])),
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(args: &Args, id: &str, lines: &[String]) -> ExitCode {
    if !args.json {
        return refused(lines);
    }
    let reason = lines.join("; ");
    println!(
        "{}",
        json!({"pause_id": id, "accepted": false, "reason": reason})
    );
    ExitCode::from(TROUBLE)
}

fn answer(args: &Args, ways: &Ways, found: &Found) -> Result<(), String> {
    check(args, found)?;
    let decision = Decision {
        failure_reason: args.failure_reason.clone(),
        result: args.result.as_deref().and_then(|word| word.parse().ok()),
        reason: args.reason.clone(),
    };
    if let Some(mut core) = ways.core_of(found) {
        let ask = FromControl::AskPause {
            pause: found.record.pause_id.clone(),
            what: Ask::Resume {
                by: "cli".to_owned(),
                decision: decision.clone(),
            },
        };
        match core.ask(&ask) {
            Ok(ToControl::Accepted { .. }) => return Ok(()),
            Ok(ToControl::Refused { message }) => {
                return Err(format!("{}: {}", printable(&message), found.shown()));
            }
            // It died with the question; the pause's file tells what became of it.
            Ok(_) | Err(_) => {}
        }
    }
    let Some(path) = &found.path else {
        return Err(format!(
            "no host can be reached for this pause: {}",
            found.shown()
        ));
    };
    answer_by_file(path, &found.record, &decision)
}

/// What can be told without asking anybody.
fn check(args: &Args, found: &Found) -> Result<(), String> {
    match &found.status {
        Status::Stale => {
            return Err(format!(
                "pause belongs to a dead process and is stale: {}",
                found.shown()
            ));
        }
        Status::Over(_) => return Err(format!("pause is no longer pending: {}", found.shown())),
        Status::Pending => {}
    }
    let kind = found.record.kind.as_deref().unwrap_or("unknown");
    let for_checkpoints = args.result.is_some() || args.reason.is_some();
    match kind {
        "failure" if for_checkpoints => Err(
            "--result/--reason are only allowed for checkpoint pauses; got kind=failure".to_owned(),
        ),
        "checkpoint" if args.failure_reason.is_some() => Err(
            "--failure-reason is only allowed for failure pauses; got kind=checkpoint".to_owned(),
        ),
        "failure" | "checkpoint" => Ok(()),
        _ if for_checkpoints || args.failure_reason.is_some() => Err(format!(
            "unsupported pause kind for supplied arguments: {}",
            printable(kind)
        )),
        _ => Ok(()),
    }
}
