//! `[sink.<name>]`: the reserved keys, and the sink's own settings.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::setting::Written;
use super::{BadInput, Origin, nearest};
use crate::guest::limits::Limits;

/// What to do with a sink that keeps failing on an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Set the event aside and go on.
    #[default]
    SetAside,
    /// Stop delivering to the sink; everything stays in the journal.
    Disable,
}

/// Keys of `limit`.
const LIMITS: [&str; 5] = ["memory", "computing", "call", "log", "state"];
/// Keys of `allow`.
const ALLOWS: [&str; 3] = ["http", "read", "write"];

/// A sink's table, layer upon layer.
#[derive(Clone, Debug, Default)]
pub struct SinkTable {
    pub module: Option<(String, Origin)>,
    pub sha256: Option<(String, Origin)>,
    /// The values of `allow.http`, `allow.read`, `allow.write`.
    pub allow: BTreeMap<&'static str, (Vec<String>, Origin)>,
    pub limits: Limits,
    pub on_failure: OnFailure,
    /// The sink's own, by top-level key.
    pub settings: BTreeMap<String, Written>,
}

impl SinkTable {
    /// Puts one value in.
    pub fn assign(
        &mut self,
        sink: &str,
        key: &[&str],
        value: Value,
        origin: Origin,
    ) -> Result<(), BadInput> {
        let name = || format!("{sink}.{}", key.join("."));
        let wrong = |should: &str| BadInput::at(&origin, format!("{} should be {should}", name()));
        match key {
            ["module"] => {
                self.module = Some((text(&value).ok_or_else(|| wrong("a path"))?, origin))
            }
            ["sha256"] => {
                let digest = text(&value)
                    .filter(|text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()))
                    .ok_or_else(|| wrong("64 hexadecimal digits"))?;
                self.sha256 = Some((digest.to_ascii_lowercase(), origin));
            }
            ["on-failure"] => {
                self.on_failure = serde_json::from_value(value)
                    .map_err(|_| wrong("\"set-aside\" or \"disable\""))?;
            }
            [group @ ("allow" | "limit")] => {
                let Value::Object(table) = value else {
                    return Err(wrong("a table"));
                };
                for (inner, value) in table {
                    self.assign(sink, &[group, &inner], value, origin.clone())?;
                }
            }
            ["allow", kind] => {
                let kind = known(kind, &ALLOWS, &name(), &origin)?;
                let list = texts(value).ok_or_else(|| wrong("a list of texts"))?;
                self.allow.insert(kind, (list, origin));
            }
            ["limit", limit] => {
                let limit = known(limit, &LIMITS, &name(), &origin)?;
                self.limit(limit, &value).map_err(wrong)?;
            }
            [top, inner @ ..] => {
                let setting = self.settings.entry((*top).to_owned()).or_default();
                setting.assign(inner, value, origin);
            }
            [] => {}
        }
        Ok(())
    }

    fn limit(&mut self, limit: &str, value: &Value) -> Result<(), &'static str> {
        match limit {
            "memory" => self.limits.memory = bytes(value)?,
            "log" => self.limits.log = bytes(value)?,
            "state" => self.limits.state = bytes(value)?,
            "computing" => self.limits.computing = time(value)?,
            _ => self.limits.call = time(value)?,
        }
        Ok(())
    }
}

/// The entry of `names` that equals `key`.
fn known(
    key: &str,
    names: &[&'static str],
    shown: &str,
    origin: &Origin,
) -> Result<&'static str, BadInput> {
    names
        .iter()
        .find(|name| **name == key)
        .copied()
        .ok_or_else(|| {
            let hint = nearest(key, names.iter().copied())
                .unwrap_or_else(|| format!("; known are {}", names.join(", ")));
            BadInput::at(origin, format!("unknown key {shown:?}{hint}"))
        })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: Value) -> Option<Vec<String>> {
    serde_json::from_value(value).ok()
}

/// `"128 MiB"`, or a number of bytes.
pub fn bytes(value: &Value) -> Result<u64, &'static str> {
    let read = match value {
        Value::String(text) => text
            .parse::<bytesize::ByteSize>()
            .ok()
            .map(|size| size.as_u64()),
        value => value.as_u64(),
    };
    read.filter(|bytes| *bytes > 0)
        .ok_or("a size above 0, such as \"128 MiB\"")
}

/// `"5 s"`, or a number of seconds.
pub fn time(value: &Value) -> Result<Duration, &'static str> {
    let read = match value {
        Value::String(text) => humantime::parse_duration(text).ok(),
        value => value
            .as_f64()
            .and_then(|s| Duration::try_from_secs_f64(s).ok()),
    };
    read.filter(|time| !time.is_zero())
        .ok_or("a time above 0, such as \"5 s\"")
}
