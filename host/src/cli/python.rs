//! Which pytest to run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::config::{BadInput, Redact};

/// Looks for what a run needs and prints the versions, and the first of its arguments
/// that is no regular expression, with the reason.
const PROBE: &str = "
import importlib.metadata as m, json, re, sys, warnings
warnings.simplefilter('ignore')
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
def wrong(pattern):
    try: re.compile(pattern)
    except Exception as error: return [pattern, str(error)]
print(json.dumps({'python': sys.version.split()[0], 'executable': sys.executable,
                  'pytest': version('pytest'), 'adapter': version('pytest-host'),
                  'wrong': next(filter(None, map(wrong, json.loads(sys.argv[1]))), None)}))
";

/// How to start pytest.
#[derive(Debug, clap::Args)]
pub struct Choice {
    /// The Python to run pytest with [default: the active environment's]
    #[arg(
        long,
        value_name = "PYTHON",
        env = "PYTEST_HOST_PYTHON",
        conflicts_with = "runner"
    )]
    pub python: Option<PathBuf>,
    /// A command that runs pytest, in place of `python -m pytest`
    #[arg(long, value_name = "COMMAND")]
    pub runner: Option<String>,
}

/// What an interpreter has installed.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Probe {
    pub executable: String,
    pub python: String,
    pub pytest: Option<String>,
    pub adapter: Option<String>,
    /// Of the patterns that were asked about, and why.
    wrong: Option<(String, String)>,
}

impl Choice {
    /// The command and its first arguments.
    pub fn command(&self) -> Result<Vec<OsString>, BadInput> {
        if let Some(runner) = &self.runner {
            let words = shell_words::split(runner)
                .ok()
                .filter(|words| !words.is_empty());
            let words = words.ok_or_else(|| {
                BadInput(format!(
                    "--runner {runner:?}: should be a command, such as \"uv run pytest\""
                ))
            })?;
            return Ok(words.into_iter().map(OsString::from).collect());
        }
        let python = self.interpreter()?;
        Ok(vec![python.into(), "-m".into(), "pytest".into()])
    }

    /// The interpreter: the one that was named, else the active environment's,
    /// else the one that this program was installed beside, else the path's.
    pub fn interpreter(&self) -> Result<PathBuf, BadInput> {
        if let Some(python) = &self.python {
            return Ok(python.clone());
        }
        let active = std::env::var_os("VIRTUAL_ENV").map(|env| Path::new(&env).join("bin/python"));
        let beside = std::env::current_exe()
            .ok()
            .and_then(|host| Some(host.parent()?.join("python")));
        let on_path = ["python3", "python"].into_iter().filter_map(on_path);
        active
            .into_iter()
            .chain(beside)
            .chain(on_path)
            .find(|python| python.is_file())
            .ok_or_else(|| BadInput("no Python is found: name one with --python".to_owned()))
    }
}

/// Asks an interpreter what it has, and what it makes of the patterns.
pub fn probe(python: &Path, redact: &Redact) -> Result<Probe, BadInput> {
    let bad = |problem: String| BadInput(format!("{}: {problem}", python.display()));
    let asked = Command::new(python)
        .args(["-c", PROBE])
        .arg(Value::from(redact.patterns.clone()).to_string())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| bad(format!("cannot be run: {error}")))?;
    serde_json::from_slice(&asked.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&asked.stderr);
        let last = said.lines().last().unwrap_or("it says nothing").to_owned();
        bad(format!("is no Python that works: {last}"))
    })
}

impl Probe {
    /// Refuses patterns that the interpreter can't use, in the adapter's words.
    pub fn check_patterns(&self, redact: &Redact) -> Result<(), BadInput> {
        let Some((pattern, problem)) = &self.wrong else {
            return Ok(());
        };
        let origin = redact.origin.as_deref().unwrap_or_default();
        let pattern = Value::from(pattern.as_str());
        Err(BadInput(format!(
            "{origin}: redact: {pattern} is no regular expression: {problem}"
        )))
    }

    /// Refuses an interpreter that a run could not be seen in.
    pub fn check(&self) -> Result<(), BadInput> {
        let missing = match (&self.pytest, &self.adapter) {
            (None, _) => "pytest",
            (_, None) => "pytest-host",
            _ => return Ok(()),
        };
        Err(BadInput(format!(
            "{}: {missing} is not installed; install it, or name another Python with --python",
            self.executable
        )))
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
