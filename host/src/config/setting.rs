//! A sink's own settings: as written, as the sink gets them, and as they may be kept.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reference::{Expanded, Variables, expand};
use super::{BadInput, Origin};
use crate::secrets;

/// A top-level setting, layer upon layer.
#[derive(Clone, Default)]
pub struct Written {
    value: Value,
    /// Where the parts of a table are from; the last that holds for a part is right.
    origins: Vec<(Vec<String>, Origin)>,
}

impl Written {
    /// Puts `value` at `path` below this setting, making tables on the way.
    pub fn assign(&mut self, path: &[&str], value: Value, origin: Origin) {
        place(&mut self.value, path, value);
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.origins.push((path, origin));
    }

    /// Where it was set last.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.origins.last().map(|(_, origin)| origin)
    }

    fn origin_of(&self, path: &[String]) -> Option<&Origin> {
        let mut found = self.origins.iter().rev();
        found
            .find(|(above, _)| path.starts_with(above))
            .map(|(_, origin)| origin)
    }
}

/// Without the value, which may be secret.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Written").field(&self.origin()).finish()
    }
}

/// A sink's own setting. What is written down of it has no secrets in it: those are
/// looked up again, see [`Secret`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
    pub(super) secrets: Vec<Secret>,
}

/// A part of a setting that is not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Where in the value, as a JSON pointer.
    pub pointer: String,
    pub origin: Origin,
    /// The reference that stands for it; none where it stands there itself.
    pub reference: Option<String>,
}

/// A setting as the journal has it: null where a secret is.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    value: Value,
    origin: Origin,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<Secret>,
}

impl From<Kept> for Setting {
    fn from(kept: Kept) -> Self {
        let Kept {
            value,
            origin,
            secrets,
        } = kept;
        Self {
            value,
            origin,
            secrets,
        }
    }
}

impl From<Setting> for Kept {
    fn from(setting: Setting) -> Self {
        let Setting {
            mut value,
            origin,
            secrets,
        } = setting;
        for secret in &secrets {
            if let Some(slot) = value.pointer_mut(&secret.pointer) {
                *slot = Value::Null;
            }
        }
        Self {
            value,
            origin,
            secrets,
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Kept::from(self.clone()).fmt(f)
    }
}

/// What references are resolved with.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// For paths that were not written in a file.
    pub directory: &'a Path,
    pub variables: &'a Variables,
}

impl Lookup<'_> {
    /// # Errors
    ///
    /// What is wrong, with its place; `name` is the setting's.
    pub fn expand(&self, text: &str, origin: &Origin, name: &str) -> Result<Expanded, BadInput> {
        let folder = origin.folder().unwrap_or(self.directory);
        expand(text, folder, self.variables).map_err(|problem| at(origin, name, problem))
    }
}

/// `problem` with the setting `name` that is from `origin`. A flag's own text names the
/// setting already.
pub fn at(origin: &Origin, name: &str, problem: impl fmt::Display) -> BadInput {
    if origin.to_string().contains(name) {
        BadInput::at(origin, problem)
    } else {
        BadInput::at(origin, format!("{name}: {problem}"))
    }
}

/// The setting `key` of `sink` as that gets it.
///
/// # Errors
///
/// A reference that leads nowhere.
pub fn resolve(
    sink: &str,
    key: &str,
    written: &Written,
    lookup: Lookup<'_>,
) -> Result<Setting, BadInput> {
    let name = format!("{sink}.{key}");
    let Some(origin) = written.origin() else {
        return Err(BadInput(format!("{name}: is set nowhere")));
    };
    let mut walk = Walk {
        name: &name,
        written,
        lookup,
        path: Vec::new(),
        secrets: Vec::new(),
    };
    let mut value = written.value.clone();
    walk.visit(&mut value, secrets::is_secret_name(key))?;
    Ok(Setting {
        value,
        origin: origin.clone(),
        secrets: walk.secrets,
    })
}

struct Walk<'a> {
    name: &'a str,
    written: &'a Written,
    lookup: Lookup<'a>,
    path: Vec<String>,
    secrets: Vec<Secret>,
}

impl Walk<'_> {
    /// `is_secret`: by a name above.
    fn visit(&mut self, value: &mut Value, is_secret: bool) -> Result<(), BadInput> {
        match value {
            Value::Object(table) => {
                for (key, inner) in table {
                    self.path.push(key.clone());
                    self.visit(inner, is_secret || secrets::is_secret_name(key))?;
                    self.path.pop();
                }
            }
            Value::Array(list) => {
                for (index, inner) in list.iter_mut().enumerate() {
                    self.path.push(index.to_string());
                    self.visit(inner, is_secret)?;
                    self.path.pop();
                }
            }
            Value::String(text) => self.text(text, is_secret)?,
            Value::Number(_) if is_secret => self.keep_back(value, None),
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &mut String, is_secret: bool) -> Result<(), BadInput> {
        let mut reference = None;
        if let Some(origin) = self.written.origin_of(&self.path).filter(|o| o.refers()) {
            let mut name = self.name.to_owned();
            for part in &self.path {
                name = format!("{name}.{part}");
            }
            match self.lookup.expand(text, origin, &name)? {
                Expanded::AsWritten => {}
                Expanded::Unescaped(plain) => *text = plain,
                Expanded::Resolved(found) => reference = Some(std::mem::replace(text, found)),
            }
        }
        if reference.is_some() || (is_secret && !text.is_empty()) || has_password(text) {
            self.keep_back(&Value::String(text.clone()), reference);
        }
        Ok(())
    }

    fn keep_back(&mut self, value: &Value, reference: Option<String>) {
        secrets::learn(value);
        if let Some(origin) = self.written.origin_of(&self.path) {
            self.secrets.push(Secret {
                pointer: pointer(&self.path),
                origin: origin.clone(),
                reference,
            });
        }
    }
}

fn has_password(text: &str) -> bool {
    secrets::userinfo(text).is_some()
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// Puts `value` at `path` below `slot`.
fn place(slot: &mut Value, path: &[&str], value: Value) {
    match path {
        [] => *slot = value,
        [key, rest @ ..] => {
            if !slot.is_object() {
                *slot = Value::Object(serde_json::Map::new());
            }
            if let Value::Object(table) = slot {
                place(table.entry(*key).or_insert(Value::Null), rest, value);
            }
        }
    }
}
