//! `host sink add`: a component into the configuration, with its digest.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};

use crate::cli::context;
use crate::config::{
    Assignment, BadInput, Comment, Config, FILE_NAME, ModuleSource, NewSink, Request,
};
use crate::guest::bindings::exported::Need;
use crate::guest::grants::HttpGrant;
use crate::guest::sink;
use crate::secrets::scrubbed;
use crate::text::{hex, one_line};

/// Write a component into host.toml, pinned to what it is now
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  host sink add sinks/slack.wasm --name slack
  host sink add sinks/slack.wasm --name slack --set channel=#ci --set 'token=${SLACK_TOKEN}'

What it asks for with these settings is written as comments: nothing is granted until
the # is taken away.")]
pub struct Args {
    /// The component
    file: PathBuf,
    /// What to call the sink
    #[arg(long, value_parser = name)]
    name: String,
    /// One of its settings, written as well
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where there is a sink of that name, give it this component; what else it has stays
    #[arg(long)]
    force: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("should be letters, digits, - and _".to_owned())
    }
}

/// What was written.
#[derive(Debug, serde::Serialize)]
struct Added {
    /// The configuration.
    file: String,
    name: String,
    /// As it is written there.
    module: String,
    sha256: String,
    /// What it would have to be granted, by the keys of `allow`.
    needs: Needs,
    /// What is wrong with the settings that it has so far.
    problem: Option<String>,
}

#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Needs {
    http: Vec<String>,
    read: Vec<String>,
    write: Vec<String>,
}

impl Needs {
    /// By the keys of `allow`.
    pub(super) fn of(asked: Vec<Need>) -> Self {
        let mut needs = Self::default();
        for need in asked {
            match need {
                Need::Http(text) => needs.http.push(grant(text)),
                Need::Read(folder) => needs.read.push(folder),
                Need::Write(folder) => needs.write.push(folder),
            }
        }
        needs
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    context::log_to_terminal();
    let directory = context::directory()?;
    let config = context::config(&directory)?;
    let added = add(args, &config)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&added)?);
    } else {
        tell(&added);
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &Args, config: &Config) -> Result<Added, BadInput> {
    let name = &args.name;
    if config.known_sinks().contains(name) && !args.force {
        return Err(BadInput(format!(
            "--name {name}: there is a sink of that name already; take another, or --force to put this component in its place"
        )));
    }
    let file = config.file.clone();
    let file = file.unwrap_or_else(|| config.directory.join(FILE_NAME));
    let path = config.directory.join(&args.file);
    let bytes = std::fs::read(&path)
        .map_err(|error| BadInput(format!("{}: cannot be read: {error}", args.file.display())))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let set: Vec<String> = args
        .set
        .iter()
        .map(|text| format!("{name}.{text}"))
        .collect();
    let (needs, problem) = ask(config, name, &path, &sha256, &set)?;
    let settings = set
        .iter()
        .map(|text| {
            let Assignment { path, value, .. } = Assignment::from_flag(text, "--set")?;
            // Without `sink` and its name.
            Ok((path.into_iter().skip(2).collect(), value))
        })
        .collect::<Result<Vec<_>, BadInput>>()?;
    let module = written(&path, &file)?;
    NewSink {
        name,
        module: &module,
        sha256: &sha256,
        settings: &settings,
        comments: &comments(&needs, problem.as_deref()),
    }
    .write(&file, args.force)?;
    let shown = file.strip_prefix(&config.directory).unwrap_or(&file);
    Ok(Added {
        file: shown.display().to_string(),
        name: name.clone(),
        module,
        sha256,
        needs,
        problem,
    })
}

/// What it needs, or what is wrong with its settings. Nothing is granted to it.
fn ask(
    config: &Config,
    name: &str,
    path: &Path,
    sha256: &str,
    set: &[String],
) -> Result<(Needs, Option<String>), BadInput> {
    let path = path.to_string_lossy();
    let mut table = serde_json::Map::new();
    table.insert("module".to_owned(), path.as_ref().into());
    // What was hashed is what is asked.
    table.insert("sha256".to_owned(), sha256.into());
    let request = Request {
        sinks: Some(vec![name.to_owned()]),
        set: set.to_vec(),
        settings: [(name.to_owned(), table)].into(),
        ..Request::default()
    };
    let specs = config.select(&request)?;
    let spec = specs
        .first()
        .filter(|spec| spec.module != ModuleSource::Builtin(name.to_owned()));
    let spec = spec.ok_or_else(|| BadInput(format!("{path}: is not looked at")))?;
    match sink::needs(spec)? {
        Ok(asked) => Ok((Needs::of(asked), None)),
        Err(wrong) => {
            let key = wrong.key.map_or_else(String::new, |key| format!("{key}: "));
            let problem = one_line(&format!("{key}{}", wrong.problem));
            Ok((Needs::default(), Some(problem)))
        }
    }
}

/// Shown as a grant is written; what is none may be a secret.
fn grant(text: String) -> String {
    match text.parse::<HttpGrant>() {
        Ok(grant) => grant.to_string(),
        Err(_) => scrubbed(text),
    }
}

fn comments(needs: &Needs, problem: Option<&str>) -> [Comment; 2] {
    let incomplete = Comment {
        heading: "Not complete yet:",
        lines: problem.map(str::to_owned).into_iter().collect(),
    };
    let grants = Comment {
        heading: "It asks for this; take the # away to grant it.",
        lines: grants(needs),
    };
    [incomplete, grants]
}

/// As lines of configuration.
pub(super) fn grants(needs: &Needs) -> Vec<String> {
    [
        ("http", &needs.http),
        ("read", &needs.read),
        ("write", &needs.write),
    ]
    .into_iter()
    .filter(|(_, list)| !list.is_empty())
    .map(|(key, list)| format!("allow.{key} = {}", toml::Value::from(list.clone())))
    .collect()
}

/// The module's path as it is written in `file`: relative to its folder.
fn written(module: &Path, file: &Path) -> Result<String, BadInput> {
    let shown = module.display();
    let real = module
        .canonicalize()
        .map_err(|error| BadInput(format!("{shown}: cannot be read: {error}")))?;
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
    let relative = folder.and_then(|folder| pathdiff::diff_paths(&real, folder));
    let path = relative.unwrap_or(real);
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| BadInput(format!("{shown}: the path is not UTF-8")))
}

fn tell(added: &Added) {
    let Added {
        file, name, module, ..
    } = added;
    println!(
        "{file}: [sink.{name}] has module {module}, pinned to {}",
        added.sha256
    );
    if let Some(problem) = &added.problem {
        println!("not complete yet: {problem}");
    }
    for line in grants(&added.needs) {
        println!("it asks for {line}; commented out in {file}");
    }
}
