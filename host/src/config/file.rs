//! `host.toml`, or `[tool.pytest-host]` in `pyproject.toml`.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Assignment, BadInput, Origin};
use crate::text::one_line;

/// The name of the configuration file.
pub const FILE_NAME: &str = "host.toml";
pub(super) const PYPROJECT: &str = "pyproject.toml";
pub(super) const TOOL: &str = "pytest-host";

/// The nearest configuration file from `directory` upward: in each folder
/// `host.toml` first, then a `pyproject.toml` that has our table.
pub fn find(directory: &Path) -> Result<Option<PathBuf>, BadInput> {
    for folder in directory.ancestors() {
        let own = folder.join(FILE_NAME);
        if own.is_file() {
            return Ok(Some(own));
        }
        let pyproject = folder.join(PYPROJECT);
        // A broken pyproject.toml without our table is none of our business.
        if let Ok(text) = std::fs::read_to_string(&pyproject)
            && text.contains(TOOL)
            && has_our_table(&pyproject, &text, directory)?
        {
            return Ok(Some(pyproject));
        }
    }
    Ok(None)
}

/// The assignments in the file at `path`; `directory` only shortens how it is shown.
pub fn read(path: &Path, directory: &Path) -> Result<Vec<Assignment>, BadInput> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let place = Place {
        path,
        shown: shown(path, directory),
        text: &text,
    };
    let root = place.parse()?;
    let table = if path.ends_with(PYPROJECT) {
        our_table(root.get_ref())
    } else {
        Some(root.get_ref())
    };
    table.map_or(Ok(Vec::new()), |table| place.assignments(table))
}

fn has_our_table(path: &Path, text: &str, directory: &Path) -> Result<bool, BadInput> {
    let place = Place {
        path,
        shown: shown(path, directory),
        text,
    };
    Ok(our_table(place.parse()?.get_ref()).is_some())
}

fn our_table<'a>(root: &'a DeTable<'a>) -> Option<&'a DeTable<'a>> {
    root.get("tool")?
        .get_ref()
        .as_table()?
        .get(TOOL)?
        .get_ref()
        .as_table()
}

fn shown(path: &Path, directory: &Path) -> String {
    path.strip_prefix(directory)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn unreadable(path: &Path, error: &io::Error) -> BadInput {
    BadInput(format!("{}: cannot be read: {error}", path.display()))
}

/// A file's text, for saying where in it something stands.
struct Place<'a> {
    path: &'a Path,
    shown: String,
    text: &'a str,
}

impl<'a> Place<'a> {
    fn parse(&self) -> Result<Spanned<DeTable<'a>>, BadInput> {
        DeTable::parse(self.text).map_err(|error| {
            let at = self.origin(error.span().map_or(0, |span| span.start));
            BadInput::at(
                &at,
                format!("not valid TOML: {}", one_line(error.message())),
            )
        })
    }

    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(self.text);
        Origin::File {
            path: self.path.to_owned(),
            shown: self.shown.clone(),
            line: before.matches('\n').count() + 1,
        }
    }

    fn assignments(&self, table: &DeTable<'_>) -> Result<Vec<Assignment>, BadInput> {
        let mut found = Vec::new();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref().as_table()) {
                ("sink", Some(sinks)) => self.sinks(sinks, &mut found)?,
                (above @ ("limit" | "keep"), Some(inner)) => {
                    for (key, value) in inner {
                        found.push(self.assignment(&[above], key, value)?);
                    }
                }
                ("pause", Some(pause)) => self.nested("pause", "policy", pause, &mut found)?,
                ("serve", Some(serve)) => self.nested("serve", "job", serve, &mut found)?,
                _ => found.push(self.assignment(&[], key, value)?),
            }
        }
        Ok(found)
    }

    /// A table `above` that has one within it, `within`, of which each key is told alone.
    fn nested(
        &self,
        above: &str,
        within: &str,
        table: &DeTable<'_>,
        found: &mut Vec<Assignment>,
    ) -> Result<(), BadInput> {
        for (key, value) in table {
            match value.get_ref().as_table() {
                Some(inner) if key.get_ref().as_ref() == within => {
                    for (key, value) in inner {
                        found.push(self.assignment(&[above, within], key, value)?);
                    }
                }
                _ => found.push(self.assignment(&[above], key, value)?),
            }
        }
        Ok(())
    }

    fn sinks(&self, sinks: &DeTable<'_>, found: &mut Vec<Assignment>) -> Result<(), BadInput> {
        for (name, value) in sinks {
            let Some(table) = value.get_ref().as_table() else {
                found.push(self.assignment(&["sink"], name, value)?);
                continue;
            };
            // An empty table names a sink too.
            found.push(Assignment {
                path: vec!["sink".into(), name.get_ref().to_string()],
                value: Value::Object(serde_json::Map::new()),
                origin: self.origin(name.span().start),
            });
            for (key, value) in table {
                found.push(self.assignment(&["sink", name.get_ref()], key, value)?);
            }
        }
        Ok(())
    }

    /// The value of `key` in the table `above`.
    fn assignment(
        &self,
        above: &[&str],
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Assignment, BadInput> {
        let origin = self.origin(key.span().start);
        let path = above.iter().copied().chain([key.get_ref().as_ref()]);
        let value = json(value).map_err(|problem| BadInput::at(&origin, problem))?;
        Ok(Assignment {
            path: path.map(str::to_owned).collect(),
            value,
            origin,
        })
    }
}

fn json(value: &Spanned<DeValue<'_>>) -> Result<Value, String> {
    use serde::de::IntoDeserializer as _;
    let value = toml::Value::deserialize(value.clone().into_deserializer())
        .map_err(|error| one_line(error.message()))?;
    serde_json::to_value(value).map_err(|error| error.to_string())
}
