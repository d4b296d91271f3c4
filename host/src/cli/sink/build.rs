//! `host sink build`: a component of a project.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::build::{self, Language, Project};
use crate::cli::context;
use crate::config::BadInput;

/// Build a sink's project, or one file of Python, JavaScript or TypeScript, to a component
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink build                       the project in this folder
  host sink build sinks/slack --out slack.wasm
  host sink build ./report.py

The language is found by Cargo.toml, pyproject.toml or package.json. What builds it has to
be there: cargo with the target wasm32-wasip2; componentize-py; jco, and esbuild for TypeScript.
They are looked for in .venv/bin, venv/bin and node_modules/.bin of the project, then on the path.")]
pub struct Args {
    /// The project's folder, or a script
    #[arg(default_value = ".")]
    project: PathBuf,
    /// Where to leave the component [default: NAME.wasm in the project's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, serde::Serialize)]
struct Report {
    component: String,
    language: Language,
    /// Bytes.
    size: u64,
    /// Seconds.
    took: f64,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let bad = |error: build::BuildError| BadInput(error.to_string());
    let project = Project::find(&args.project).map_err(bad)?;
    let out = args.out.clone().unwrap_or_else(|| project.component());
    let built = build::build(&project, &out, &mut |line| eprintln!("host: {line}")).map_err(bad)?;
    let component = built
        .component
        .strip_prefix("./")
        .unwrap_or(&built.component);
    let report = Report {
        component: component.display().to_string(),
        language: project.language,
        size: built.size,
        took: built.took.as_secs_f64(),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!(
            "{}: {} in {:.1} s",
            report.component,
            bytesize::ByteSize(report.size).display().si(),
            report.took
        );
    }
    Ok(ExitCode::SUCCESS)
}
