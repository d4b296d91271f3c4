//! `[serve]`: what `host serve` listens to, and what it lets others do.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::reference::Expanded;
use super::setting::Lookup;
use super::{Assignment, BadInput, Config, Origin, nearest, table};
use crate::secrets;

/// Keys of the table.
const KEYS: [&str; 14] = [
    "listen",
    "ping",
    "token",
    "hosts",
    "origins",
    "relay",
    "idle-timeout",
    "max-jobs",
    "stop-grace",
    "job-output",
    "keep-jobs",
    "job.directories",
    "job.environment",
    "job.interpreters",
];
/// A token of fewer bytes can be guessed.
const SHORTEST_TOKEN: usize = 16;

#[derive(Clone, Debug)]
pub struct Serve {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// As written: see [`Config::serve_token`].
    token: Option<Written>,
    /// Names by which browsers and others may call this host, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Origins of web pages of others that may use the API, such as `https://ci.example.org`.
    pub origins: Vec<String>,
    /// Whether the sink `relay` gets every run.
    pub relay: bool,
    /// How long a connection may be idle, and a request may take to arrive.
    pub idle_timeout: Duration,
    /// How often WebSocket clients are asked whether they are there; how long one may take to
    /// read what it is sent.
    pub ping: Duration,
    /// How many jobs run at once; none is one a processor.
    pub max_jobs: Option<usize>,
    /// How long a job has to end after SIGINT, and again after SIGTERM.
    pub stop_grace: Duration,
    /// Bytes of a job's output that are kept.
    pub job_output: u64,
    /// How many jobs are kept that are over.
    pub keep_jobs: usize,
    pub job: JobRules,
}

/// What a job may ask for other than what the host itself has.
#[derive(Clone, Debug, Default)]
pub struct JobRules {
    /// Absolute: a job's working directory is in one of these.
    pub directories: Vec<PathBuf>,
    /// Names of variables, with `*` for any number of characters.
    pub environment: Vec<String>,
    /// Absolute paths of Python interpreters.
    pub interpreters: Vec<PathBuf>,
}

#[derive(Clone)]
struct Written {
    text: String,
    origin: Origin,
}

/// Without the text: it is secret.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Written").field(&self.origin).finish()
    }
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            relay: true,
            idle_timeout: Duration::from_secs(30),
            ping: Duration::from_secs(20),
            max_jobs: None,
            stop_grace: Duration::from_secs(10),
            job_output: 16 << 20,
            keep_jobs: 100,
            job: JobRules::default(),
        }
    }
}

impl Serve {
    /// Puts one value in; paths are relative to where they are written, or to `directory`.
    pub fn assign(
        &mut self,
        key: &[&str],
        assignment: &Assignment,
        directory: &Path,
    ) -> Result<(), BadInput> {
        let Assignment { value, origin, .. } = assignment;
        let name = assignment.path.join(".");
        let wrong = |should: &str| BadInput::at(origin, format!("{name} should be {should}"));
        let paths = || -> Result<Vec<PathBuf>, BadInput> {
            let folder = origin.folder().unwrap_or(directory);
            let texts = texts(value).ok_or_else(|| wrong("a list of paths"))?;
            Ok(texts.into_iter().map(|text| folder.join(text)).collect())
        };
        match key {
            ["listen"] => {
                self.listen = value
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| wrong("an address and a port, such as \"127.0.0.1:8000\""))?;
            }
            ["token"] => {
                let text = value.as_str().ok_or_else(|| {
                    wrong("a text, such as \"file:token.txt\" or \"${HOST_TOKEN}\"")
                })?;
                self.token = Some(Written {
                    text: text.to_owned(),
                    origin: origin.clone(),
                });
            }
            ["hosts"] => {
                self.hosts = texts(value)
                    .ok_or_else(|| wrong("a list of names, such as [\"ci.example.org\"]"))?;
            }
            ["origins"] => {
                self.origins = texts(value)
                    .ok_or_else(|| wrong("a list such as [\"https://ci.example.org\"]"))?;
            }
            ["relay"] => {
                self.relay = value.as_bool().ok_or_else(|| wrong("true or false"))?;
            }
            ["idle-timeout"] => {
                self.idle_timeout = table::time(value).map_err(wrong)?;
            }
            ["max-jobs"] => {
                self.max_jobs =
                    Some(count(value).ok_or_else(|| wrong("a number of jobs, from 1 on"))?);
            }
            ["keep-jobs"] => {
                self.keep_jobs =
                    count(value).ok_or_else(|| wrong("a number of jobs, from 1 on"))?;
            }
            ["stop-grace"] => {
                self.stop_grace = table::time(value).map_err(wrong)?;
            }
            ["ping"] => {
                self.ping = table::time(value).map_err(wrong)?;
            }
            ["job-output"] => self.job_output = table::bytes(value).map_err(wrong)?,
            ["job", "directories"] => self.job.directories = paths()?,
            ["job", "interpreters"] => self.job.interpreters = paths()?,
            ["job", "environment"] => {
                self.job.environment = texts(value)
                    .ok_or_else(|| wrong("a list of names, such as [\"CI_*\", \"LANG\"]"))?;
            }
            [] | ["job"] if value.is_object() => {}
            [] | ["job"] => return Err(wrong("a table")),
            _ => {
                let key = key.join(".");
                let hint = nearest(&key, KEYS)
                    .unwrap_or_else(|| format!("; the keys here are {}", KEYS.join(", ")));
                return Err(BadInput::at(origin, format!("unknown key {name:?}{hint}")));
            }
        }
        Ok(())
    }
}

impl Config {
    /// The token that `[serve]` asks for; from here on it is taken out of all that is told.
    ///
    /// # Errors
    ///
    /// A reference that leads nowhere, and a token that can be guessed.
    pub fn serve_token(&self) -> Result<Option<String>, BadInput> {
        const NAME: &str = "serve.token";
        let Some(written) = &self.serve.token else {
            return Ok(None);
        };
        let lookup = Lookup {
            directory: &self.directory,
            variables: self.variables(),
        };
        let expanded = lookup.expand(&written.text, &written.origin, NAME)?;
        let token = match expanded {
            Expanded::AsWritten => written.text.clone(),
            Expanded::Unescaped(text) | Expanded::Resolved(text) => text,
        };
        let name = |problem: String| BadInput::at(&written.origin, format!("{NAME} {problem}"));
        fit(&token).map(Some).map_err(name)
    }

    /// The token that `file` has.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and a token that can be guessed.
    pub fn serve_token_in(&self, file: &Path) -> Result<String, BadInput> {
        let wrong = |problem: String| BadInput(format!("{}: {problem}", file.display()));
        let text = std::fs::read_to_string(self.directory.join(file));
        let text = text.map_err(|error| wrong(error.to_string()))?;
        fit(&text).map_err(|problem| wrong(format!("the token {problem}")))
    }
}

/// A token that cannot be guessed and can be sent.
fn fit(text: &str) -> Result<String, String> {
    let token = text.trim().to_owned();
    if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "should be {SHORTEST_TOKEN} or more letters, digits and signs without spaces"
        ));
    }
    secrets::learn(&Value::String(token.clone()));
    Ok(token)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).ok()
}

fn count(value: &Value) -> Option<usize> {
    let count = usize::try_from(value.as_u64()?).ok()?;
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), text).unwrap();
        let variables = [("TOKEN".to_owned(), "0123456789abcdef".to_owned())];
        Config::load(folder.path(), variables).map_err(|bad| bad.0)
    }

    #[test]
    fn what_is_written_is_used() {
        let config = serve(
            r#"
            [serve]
            listen = "[::1]:9000"
            token = "${TOKEN}"
            hosts = ["ci.example.org"]
            max-jobs = 3
            stop-grace = "2 s"
            job.directories = ["suites"]
            job.environment = ["CI_*"]
            "#,
        )
        .unwrap();
        assert_eq!(config.serve.listen.to_string(), "[::1]:9000");
        assert_eq!(config.serve_token().unwrap().unwrap(), "0123456789abcdef");
        assert_eq!(config.serve.hosts, ["ci.example.org"]);
        assert_eq!(config.serve.max_jobs, Some(3));
        assert_eq!(config.serve.stop_grace, Duration::from_secs(2));
        let directories = &config.serve.job.directories;
        assert_eq!(directories, &[config.root().join("suites")]);
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let problem = |text: &str| serve(text).unwrap_err();
        insta::assert_snapshot!(problem("serve.listen = 'localhost'"), @r#"host.toml:1: serve.listen should be an address and a port, such as "127.0.0.1:8000""#);
        insta::assert_snapshot!(problem("serve.max-jobs = 0"), @"host.toml:1: serve.max-jobs should be a number of jobs, from 1 on");
        insta::assert_snapshot!(problem("serve.lisen = ''"), @r#"host.toml:1: unknown key "serve.lisen"; did you mean "listen"?"#);
        insta::assert_snapshot!(problem("serve = 1"), @"host.toml:1: serve should be a table");
        insta::assert_snapshot!(problem("serve.job.directories = 'a'"), @"host.toml:1: serve.job.directories should be a list of paths");
        let short = serve("serve.token = 'short'").unwrap().serve_token();
        insta::assert_snapshot!(short.unwrap_err().0, @"host.toml:1: serve.token should be 16 or more letters, digits and signs without spaces");
        let none = serve("serve.token = '${NO_TOKEN}'").unwrap().serve_token();
        insta::assert_snapshot!(none.unwrap_err().0, @"host.toml:1: serve.token: the environment variable NO_TOKEN is not set");
    }
}
