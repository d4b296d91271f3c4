//! `host sink new`: a project to start from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::build::{Language, template};
use crate::cli::context;
use crate::config::BadInput;

/// Make the project of a new sink: one that builds, is tested, and does something
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink new report --lang python
  host sink new report --lang rust --dir sinks/report

What it makes is a sink that counts what tests came to and writes summary.json. It has
a test that needs no host, and a README with the commands.")]
pub struct Args {
    /// What to call it: small letters, digits, - and _
    name: String,
    /// What to write it in
    #[arg(long, value_enum)]
    lang: Language,
    /// Where to make it [default: a folder of its name, here]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, serde::Serialize)]
struct Made {
    name: String,
    language: Language,
    dir: String,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let Args { name, lang, .. } = args;
    if let Some(problem) = template::problem_with(name, *lang) {
        return Err(BadInput(format!("{name:?} {problem}")).into());
    }
    let folder = args.dir.clone().unwrap_or_else(|| name.into());
    if !is_free(&folder) {
        let shown = folder.display();
        return Err(BadInput(format!(
            "{shown} is there already, and not empty; take another name, or --dir"
        ))
        .into());
    }
    template::write(&folder, name, *lang).map_err(|error| BadInput(error.to_string()))?;
    let made = Made {
        name: name.clone(),
        language: *lang,
        dir: folder.display().to_string(),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&made)?);
    } else {
        tell(&made);
    }
    Ok(ExitCode::SUCCESS)
}

fn is_free(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn tell(made: &Made) {
    let Made {
        name,
        language,
        dir,
    } = made;
    let test = match language {
        Language::Rust => "cargo test",
        Language::Python => "python -m pytest",
        Language::JavaScript => "npm test",
    };
    println!("{dir}: a sink in {language}. Next:");
    println!("  cd {dir}");
    println!("  {test}");
    println!("  host sink build");
    println!("  host sink check {name}.wasm");
    println!("README.md says the rest.");
}
