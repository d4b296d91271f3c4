//! `host pause extend`, `abort`, `eval` and `attach`: what only a core can pass on.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::{Where, refused};
use crate::cli::TROUBLE;
use crate::clock;
use crate::protocol::control::{FromControl, ToControl};
use crate::protocol::pause::Ask;
use crate::text::{printable, printable_lines};

/// Put the deadline off.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause extend 7634c083d61f423bb4b782900cbaa5d9 600")]
pub struct Extend {
    #[command(flatten)]
    of: Of,
    /// By how many seconds
    seconds: f64,
}

/// Let a paused test fail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause abort 7634c083d61f423bb4b782900cbaa5d9 --reason 'wrong board'
  host pause abort 7634c083d61f423bb4b782900cbaa5d9 --session")]
pub struct Abort {
    #[command(flatten)]
    of: Of,
    /// Added to the test's report
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// End the whole run, after the test's teardown
    #[arg(long)]
    session: bool,
}

/// Evaluate an expression inside a paused test, and print its repr.
///
/// Only where pytest was started with --pause-eval. It runs on the paused test's own
/// thread: nothing can interrupt it, and until it ends the pause takes no answer and
/// has no deadline.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause eval 7634c083d61f423bb4b782900cbaa5d9 'response.status_code'
  host pause eval 7634c083d61f423bb4b782900cbaa5d9 'locals()' --frame 0")]
pub struct Eval {
    #[command(flatten)]
    of: Of,
    /// In Python
    expression: String,
    /// Where: a number that `host pause show` prints; the innermost by default
    #[arg(long, value_name = "N")]
    frame: Option<u32>,
}

/// Tell how to attach debugpy to a paused test.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host pause attach 7634c083d61f423bb4b782900cbaa5d9")]
pub struct Attach {
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// A pause's id, or its file
    target: String,
    #[command(flatten)]
    place: Where,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the test said, or the lines that say why not.
pub(super) type Told = Result<Value, Vec<String>>;

impl Of {
    /// Asks the test, through its core.
    pub fn ask(&self, what: Ask) -> anyhow::Result<Told> {
        let ways = self.place.ways()?;
        let found = match ways.find(&self.target) {
            Ok(found) => found,
            Err(lines) => return Ok(Err(lines)),
        };
        let Some(mut core) = ways.core_of(&found) else {
            let problem = "no host can be reached for this pause; it can only be resumed";
            return Ok(Err(vec![format!("{problem}: {}", found.shown())]));
        };
        let pause = found.record.pause_id.clone();
        Ok(match core.ask(&FromControl::AskPause { pause, what })? {
            ToControl::Accepted { value } => Ok(value),
            ToControl::Refused { message } => {
                Err(vec![format!("{}: {}", printable(&message), found.shown())])
            }
            other => bail!("the host said {other:?}"),
        })
    }

    /// Asks, and prints the answer as JSON, or as `print` does.
    fn tell(&self, what: Ask, print: impl FnOnce(&Value) -> ExitCode) -> anyhow::Result<ExitCode> {
        match self.ask(what)? {
            Ok(value) if self.json => {
                println!("{}", json!({"accepted": true, "value": value}));
                Ok(ExitCode::SUCCESS)
            }
            Ok(value) => Ok(print(&value)),
            Err(lines) if self.json => {
                println!("{}", json!({"accepted": false, "reason": lines.join("; ")}));
                Ok(ExitCode::from(TROUBLE))
            }
            Err(lines) => Ok(refused(&lines)),
        }
    }
}

pub fn extend(args: &Extend) -> anyhow::Result<ExitCode> {
    let ask = Ask::Extend {
        seconds: args.seconds,
    };
    args.of.tell(ask, |value| {
        let until = clock::local(value.as_f64().unwrap_or_default(), "%H:%M:%S");
        println!("paused until {until}");
        ExitCode::SUCCESS
    })
}

pub fn abort(args: &Abort) -> anyhow::Result<ExitCode> {
    let ask = Ask::Abort {
        by: "cli".to_owned(),
        reason: args.reason.clone(),
        session: args.session,
    };
    args.of.tell(ask, |_| {
        println!("abort accepted");
        ExitCode::SUCCESS
    })
}

pub fn eval(args: &Eval) -> anyhow::Result<ExitCode> {
    let ask = Ask::Eval {
        expression: args.expression.clone(),
        frame: args.frame,
    };
    args.of.tell(ask, |value| {
        if let Some(raised) = value.get("raised").and_then(Value::as_str) {
            for line in printable_lines(raised) {
                eprintln!("{line}");
            }
            return ExitCode::from(TROUBLE);
        }
        for line in printable_lines(
            value
                .get("repr")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        ) {
            println!("{line}");
        }
        ExitCode::SUCCESS
    })
}

pub fn attach(args: &Attach) -> anyhow::Result<ExitCode> {
    args.of.tell(Ask::Attach, |value| {
        println!(
            "{}",
            printable(
                value
                    .get("command")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            )
        );
        ExitCode::SUCCESS
    })
}
