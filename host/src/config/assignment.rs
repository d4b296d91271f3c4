//! One setting and where it was written.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BadInput;

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A configuration file; `shown` is its path as the user would write it.
    File {
        path: PathBuf,
        shown: String,
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag such as `--set`, with what was given.
    Flag(String),
    /// A setting that an option of the adapter stands for, e.g. `publish.url`.
    Option(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { shown, line, .. } => write!(f, "{shown}:{line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(text) | Self::Option(text) => f.write_str(text),
        }
    }
}

/// A value for a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The key's parts, e.g. `sink`, `publish`, `url`.
    pub path: Vec<String>,
    pub value: Value,
    pub origin: Origin,
}

impl Assignment {
    /// Reads `sink.key=value`.
    ///
    /// # Errors
    ///
    /// A text of another form.
    pub fn from_flag(text: &str, flag: &str) -> Result<Self, BadInput> {
        let parts = text
            .split_once('=')
            .map(|(key, value)| (key.trim(), value))
            .filter(|(key, _)| {
                key.contains('.') && key.split('.').all(|part| !part.trim().is_empty())
            });
        let Some((key, value)) = parts else {
            // The value may be a secret.
            let shown = text
                .split_once('=')
                .map_or_else(|| text.to_owned(), |(key, _)| format!("{key}=…"));
            return Err(BadInput(format!(
                "{flag} {shown}: should be sink.key=value, such as {flag} publish.url=http://127.0.0.1:7777/"
            )));
        };
        let path = std::iter::once("sink")
            .chain(key.split('.').map(str::trim))
            .map(str::to_owned)
            .collect();
        Ok(Self {
            path,
            value: value_of(value),
            origin: Origin::Flag(format!("{flag} {key}")),
        })
    }
}

/// A value given as text: a TOML value where it reads as one, else the text itself.
///
/// So `8` is a number, `["a"]` a list, and `http://…` or `results` need no quotes.
#[must_use]
pub fn value_of(text: &str) -> Value {
    let text = text.trim();
    // A date reads as TOML too, and nobody means one.
    match toml::from_str::<toml::Table>(&format!("value = {text}")) {
        Ok(mut table) if table.len() == 1 => match table.remove("value") {
            Some(toml::Value::Datetime(_)) | None => Value::String(text.to_owned()),
            Some(value) => {
                serde_json::to_value(value).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
        },
        _ => Value::String(text.to_owned()),
    }
}
