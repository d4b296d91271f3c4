//! `host orchestrate plan`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Choice;
use crate::guest::bindings::orchestrator::{Action, Step, Verdict};
use crate::guest::orchestrator::Instant;
use crate::orchestration::plan::walk;
use crate::text::printable;

/// Print what would start when, without running it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host orchestrate plan orchestration/descriptions/soak.json
  host orchestrate plan soak.json --hours 0.5 --limit 20
  host orchestrate plan soak.json --json

Every event is taken to end as soon as it has started.")]
pub struct Args {
    file: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Print so many runs and no more
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Print a line of JSON a run
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Planned<'a> {
    /// Seconds.
    at: f64,
    event: &'a str,
    params: Option<Box<RawValue>>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut guest = args.choice.load(&args.file)?;
    let mut output = io::BufWriter::new(anstream::stdout().lock());
    let mut timeline = Timeline::new(args.limit.unwrap_or(usize::MAX));
    let mut printed = Ok(());
    walk(&mut guest, |now, step| {
        for (_, message) in &step.log {
            eprintln!("host: {}", printable(message));
        }
        printed = timeline.print(args, now, step, &mut output);
        printed.is_ok() && timeline.left > 0
    })
    .with_context(|| args.file.display().to_string())?;
    let ended = printed.and_then(|()| {
        if !args.json {
            timeline.end(&mut output)?;
        }
        output.flush()
    });
    match ended {
        // Whoever read the output has what they wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

struct Timeline {
    /// How many runs may still be printed.
    left: usize,
    /// By event, in the order of their first runs.
    counts: Vec<(String, u64)>,
    end: Option<Instant>,
    failed: Option<String>,
}

impl Timeline {
    fn new(left: usize) -> Self {
        Self {
            left,
            counts: Vec::new(),
            end: None,
            failed: None,
        }
    }

    fn print(
        &mut self,
        args: &Args,
        now: Instant,
        step: &Step,
        output: &mut impl Write,
    ) -> io::Result<()> {
        for action in &step.start {
            if self.left == 0 {
                return Ok(());
            }
            self.left -= 1;
            self.count(&action.name);
            if args.json {
                writeln!(output, "{}", serde_json::to_string(&planned(action))?)?;
            } else {
                writeln!(
                    output,
                    "{:>12}  {}",
                    clock(action.due),
                    printable(&action.name)
                )?;
            }
        }
        if let Some(verdict) = &step.verdict {
            self.end = Some(now);
            if let Verdict::Failed(why) = verdict {
                self.failed = Some(printable(why));
            }
        }
        Ok(())
    }

    fn count(&mut self, name: &str) {
        match self.counts.iter_mut().find(|(other, _)| other == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name.to_owned(), 1)),
        }
    }

    fn end(&self, output: &mut impl Write) -> io::Result<()> {
        let Some(end) = self.end else {
            return writeln!(output, "{:>12}", "…");
        };
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(name, count)| format!("{} {count}", printable(name)))
            .collect();
        let runs = if counts.is_empty() {
            "nothing runs".to_owned()
        } else {
            counts.join(", ")
        };
        writeln!(output, "{:>12}  the end: {runs}", clock(end))?;
        match &self.failed {
            Some(why) => writeln!(output, "it would fail: {why}"),
            None => Ok(()),
        }
    }
}

fn planned(action: &Action) -> Planned<'_> {
    Planned {
        #[expect(clippy::cast_precision_loss, reason = "to the microsecond, for years")]
        at: action.due as f64 / 1e9,
        event: &action.name,
        params: RawValue::from_string(action.params.clone()).ok(),
    }
}

/// `1:02:03.5`
fn clock(time: Instant) -> String {
    let (seconds, rest) = (time / 1_000_000_000, time % 1_000_000_000 / 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match rest {
        0 => String::new(),
        _ => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    format!("{hours}:{minutes:02}:{seconds:02}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(clock(0), "0:00:00");
        assert_eq!(clock(3_723_500_000_000), "1:02:03.5");
        assert_eq!(clock(72 * 3600 * 1_000_000_000 + 1_000_000), "72:00:00.001");
    }
}
