//! `host sink bench`: what a sink costs, beside one that does nothing.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::subject::Choice;
use crate::cli::context;
use crate::config::{ModuleSource, SinkSpec};
use crate::guest::{builtin, engine, module};
use crate::trial::bench::{Measured, Round, load, round, summary};
use crate::trial::{Recording, Subject};

/// Measure a sink: events a second, memory, how long its calls take
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink bench report.wasm
  host sink bench publish --set url=http://127.0.0.1:1/ --events 20000 --json

The sink takes turns with one that does nothing; figures are medians. Requests are answered
by the command itself, and folders to write to are temporary ones.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// How many events a round has
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(256..))]
    events: u32,
    /// How many rounds there are
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    sink: String,
    /// Bytes of the component.
    size: u64,
    /// Seconds to compile it, as the first start does.
    compile: f64,
    events: u32,
    rounds: u32,
    measured: Measured,
    /// The sink that does nothing.
    empty: Measured,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let subject = Subject::load(args.choice.spec()?)?;
    let empty = Subject::load(SinkSpec {
        module: ModuleSource::Builtin(builtin::EMPTY.to_owned()),
        sha256: None,
        settings: std::collections::BTreeMap::new(),
        ..subject.spec.clone()
    })?;
    let recording = Recording::named("outcomes")?;
    let events = load(&recording, args.events as usize);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (size, compile) = compile(&subject)?;
    let (mut ours, mut empties): (Vec<Round>, Vec<Round>) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        eprintln!("host: round {number} of {}", args.rounds);
        ours.push(runtime.block_on(round(&subject, &recording, &events))?);
        empties.push(runtime.block_on(round(&empty, &recording, &events))?);
    }
    let report = Report {
        sink: subject.spec.name.clone(),
        size,
        compile: compile.as_secs_f64(),
        events: args.events,
        rounds: args.rounds,
        measured: summary(&ours, events.len()),
        empty: summary(&empties, events.len()),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        show(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// How large the component is, and how long it takes to compile: by itself, whatever is kept.
fn compile(subject: &Subject) -> anyhow::Result<(u64, Duration)> {
    let bytes = module::read(&subject.spec.module, None)?.bytes;
    let engine = engine::engine().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let began = Instant::now();
    let compiled = engine.precompile_component(&bytes);
    compiled.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    Ok((bytes.len() as u64, began.elapsed()))
}

fn show(report: &Report) {
    let Report {
        measured, empty, ..
    } = report;
    println!(
        "{}: {}, compiled in {:.2} s",
        report.sink,
        bytesize::ByteSize(report.size).display().si(),
        report.compile
    );
    println!("{:26} {:>12} {:>12}", "", report.sink, "empty");
    let row = |name: &str, show: fn(&Measured) -> String| {
        println!("{name:26} {:>12} {:>12}", show(measured), show(empty));
    };
    row("events a second", |m| format!("{:.0}", m.events_per_second));
    row("call of 256, median", |m| micros(m.batch_median));
    row("call of 256, 99 %", |m| micros(m.batch_p99));
    row("call of 1, median", |m| micros(m.event_median));
    row("call of 1, 99 %", |m| micros(m.event_p99));
    row("start, compiled before", |m| micros(m.start));
    row("memory", |m| {
        bytesize::ByteSize(m.memory).display().si().to_string()
    });
}

fn micros(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.1} us", seconds * 1e6)
    } else {
        format!("{:.2} ms", seconds * 1e3)
    }
}
