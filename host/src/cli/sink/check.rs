//! `host sink check`: what a component is, and what it would have to be granted.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use super::add::{Needs, grants};
use super::subject::Choice;
use crate::cli::{TROUBLE, context};
use crate::config::{BadInput, ModuleSource, SinkSpec};
use crate::guest::module::{self, CONTRACT, CONTRACT_VERSION, Inspected};
use crate::guest::sink;
use crate::secrets::scrubbed;
use crate::text::one_line;

/// Say what a component imports and exports, whether it fits, and what it has to be granted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink check report.wasm
  host sink check ./slack.py --set url=https://hooks.slack.com/services/x --json

Exits with 0 where the host can run it with these settings, with 1 where the settings are
not complete, with 2 where it is no sink for this host.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    sink: String,
    module: String,
    world: &'static str,
    /// The version of the contract that it was built for.
    contract: String,
    /// The version that this host speaks.
    host: &'static str,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Bytes.
    size: u64,
    sha256: String,
    /// Seconds to load it, and whether that was compiling it.
    load: f64,
    compiled_before: bool,
    needs: Needs,
    /// What is wrong with the settings.
    problem: Option<String>,
    /// To be put into host.toml.
    table: String,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let spec = args.choice.spec()?;
    let report = check(&spec, args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        show(&report);
    }
    Ok(if report.problem.is_some() {
        ExitCode::from(TROUBLE)
    } else {
        ExitCode::SUCCESS
    })
}

fn check(spec: &SinkSpec, args: &Args) -> Result<Report, BadInput> {
    let bad = |error: &dyn std::fmt::Display| BadInput(format!("sink {}: {error}", spec.name));
    let began = Instant::now();
    let Inspected {
        imports,
        exports,
        contract,
        size,
        digest,
        compiled_before,
    } = module::inspect(&spec.module, spec.sha256.as_deref()).map_err(|e| bad(&e))?;
    let load = began.elapsed().as_secs_f64();
    let (needs, problem) = match sink::needs(spec)? {
        Ok(asked) => (Needs::of(asked), None),
        Err(wrong) => {
            let key = wrong.key.map_or_else(String::new, |key| format!("{key}: "));
            let problem = scrubbed(one_line(&format!("{key}{}", wrong.problem)));
            (Needs::default(), Some(problem))
        }
    };
    let module = match &spec.module {
        ModuleSource::Builtin(_) => "built-in".to_owned(),
        ModuleSource::File(_) => args.choice.file.clone(),
    };
    Ok(Report {
        sink: spec.name.clone(),
        table: table(spec, &module, &digest, &needs, args),
        module,
        world: "sink-guest",
        contract,
        host: CONTRACT_VERSION,
        imports,
        exports,
        size,
        sha256: digest,
        load,
        compiled_before,
        needs,
        problem,
    })
}

/// What to put into host.toml.
fn table(spec: &SinkSpec, module: &str, digest: &str, needs: &Needs, args: &Args) -> String {
    let mut lines = vec![format!("[sink.{}]", spec.name)];
    if matches!(spec.module, ModuleSource::File(_)) {
        lines.push(format!("module = {}", toml::Value::from(module)));
        lines.push(format!("sha256 = {}", toml::Value::from(digest)));
    }
    for text in &args.choice.set {
        if let Some((key, value)) = text.split_once('=') {
            let known = value.parse::<toml::Value>();
            let value = known.unwrap_or_else(|_| toml::Value::from(value));
            lines.push(format!("{key} = {value}"));
        }
    }
    if matches!(spec.module, ModuleSource::File(_)) {
        lines.extend(grants(needs));
    }
    lines.join("\n")
}

fn show(report: &Report) {
    println!(
        "{}: a sink of contract {}, which this host ({}) runs",
        report.module, report.contract, report.host
    );
    println!(
        "  {}, {} in {:.2} s",
        bytesize::ByteSize(report.size).display().si(),
        if report.compiled_before {
            "loaded (compiled before)"
        } else {
            "compiled"
        },
        report.load
    );
    let (own, other): (Vec<&str>, Vec<&str>) = report
        .imports
        .iter()
        .map(|import| import.split('@').next().unwrap_or(import))
        .partition(|import| import.starts_with(CONTRACT));
    let own: Vec<&str> = own
        .iter()
        .filter_map(|import| import.split('/').nth(1))
        .collect();
    println!("  uses of the contract: {}", own.join(", "));
    let packages: BTreeSet<&str> = other
        .iter()
        .filter_map(|import| import.split('/').next())
        .collect();
    if !packages.is_empty() {
        let packages: Vec<&str> = packages.into_iter().collect();
        println!("  uses of WASI: {}", packages.join(", "));
    }
    match &report.problem {
        Some(problem) => println!("  its settings are not complete: {problem}"),
        None => println!("\n{}", report.table),
    }
}
