//! Writes a sink's table into a configuration file, and leaves all else as it stands.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::BadInput;
use super::file::{PYPROJECT, TOOL};
use crate::text::one_line;

/// A sink to be written down.
#[derive(Debug)]
pub struct NewSink<'a> {
    pub name: &'a str,
    /// As it is to be written.
    pub module: &'a str,
    pub sha256: &'a str,
    /// Settings, and other keys, by path.
    pub settings: &'a [(Vec<String>, Value)],
    pub comments: &'a [Comment],
}

/// For people, below the keys.
#[derive(Debug)]
pub struct Comment {
    pub heading: &'static str,
    /// Those that the table has already are not written again.
    pub lines: Vec<String>,
}

impl NewSink<'_> {
    /// Writes it into `file`, which may not be there yet. `replace` allows for a table
    /// of that name: what it sets beside the module stays.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, changed or written.
    pub fn write(&self, file: &Path, replace: bool) -> Result<(), BadInput> {
        let bad = |problem: String| BadInput(format!("{}: {problem}", file.display()));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(bad(format!("cannot be read: {error}"))),
        };
        let above: &[&str] = if file.ends_with(PYPROJECT) {
            &["tool", TOOL]
        } else {
            &[]
        };
        let edited = self.edit(&text, above, replace).map_err(bad)?;
        put(file, &edited).map_err(|error| bad(format!("cannot be written: {error}")))
    }

    fn edit(&self, text: &str, above: &[&str], replace: bool) -> Result<String, String> {
        let name = self.name;
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| one_line(error.message()))?;
        let mut table: &mut dyn TableLike = document.as_table_mut();
        // Where there is no room for line breaks and comments.
        let mut in_braces = false;
        for key in above.iter().copied().chain(["sink"]) {
            let entry = table.entry(key).or_insert_with(|| {
                let mut implicit = Table::new();
                implicit.set_implicit(true);
                Item::Table(implicit)
            });
            in_braces |= entry.is_inline_table();
            table = entry
                .as_table_like_mut()
                .ok_or_else(|| format!("{key} should be a table"))?;
        }
        if table.contains_key(name) && !replace {
            return Err(format!("has a table for {name} already"));
        }
        let known = table.get(name).map(ToString::to_string);
        let entry = table.entry(name).or_insert_with(|| {
            if in_braces {
                return value(toml_edit::InlineTable::new());
            }
            let mut new = Table::new();
            if !text.is_empty() {
                new.decor_mut().set_prefix("\n");
            }
            Item::Table(new)
        });
        in_braces |= entry.is_inline_table();
        let sink = entry
            .as_table_like_mut()
            .ok_or_else(|| format!("sink.{name} should be a table"))?;
        set(sink, "module", self.module.into());
        set(sink, "sha256", self.sha256.into());
        for (path, setting) in self.settings {
            place(sink, path, setting)?;
        }
        if !in_braces {
            self.comment(&known.unwrap_or_default(), sink);
        }
        let edited = document.to_string();
        // Whatever stood there, it is not to be broken.
        toml::from_str::<toml::Table>(&edited)
            .map(|_| edited)
            .map_err(|error| format!("cannot be changed: {}", one_line(error.message())))
    }

    /// Behind the last of the sink's own keys.
    fn comment(&self, known: &str, sink: &mut dyn TableLike) {
        let mut lines = String::new();
        for comment in self.comments {
            let new = comment.lines.iter().filter(|line| !known.contains(*line));
            let new: String = new.map(|line| format!("\n# {line}")).collect();
            if !new.is_empty() {
                lines = format!("{lines}\n# {}{new}", comment.heading);
            }
        }
        let keys = sink
            .iter()
            .map(|(key, item)| (key.to_owned(), item.is_value()));
        let last = keys.filter(|(_, is_value)| *is_value).last();
        let last = last.and_then(|(key, _)| sink.get_mut(&key)?.as_value_mut());
        if let Some(last) = last {
            let before = last.decor().suffix().and_then(|raw| raw.as_str());
            let suffix = format!("{}{lines}", before.unwrap_or_default());
            last.decor_mut().set_suffix(suffix);
        }
    }
}

/// Changes a value and leaves what is around it.
fn set(table: &mut dyn TableLike, key: &str, new: toml_edit::Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

fn place(table: &mut dyn TableLike, path: &[String], setting: &Value) -> Result<(), String> {
    let [key, inner @ ..] = path else {
        return Ok(());
    };
    if inner.is_empty() {
        let written = toml::Value::try_from(setting).map_err(|error| error.to_string())?;
        let written = written.to_string().parse::<toml_edit::Value>();
        set(table, key, written.map_err(|error| error.to_string())?);
        return Ok(());
    }
    let below = table
        .entry(key)
        .or_insert_with(|| value(toml_edit::InlineTable::new()));
    let below = below
        .as_table_like_mut()
        .ok_or_else(|| format!("{key} should be a table"))?;
    place(below, inner, setting)
}

/// Whole or not at all; where `file` is a link, what it leads to.
fn put(file: &Path, text: &str) -> io::Result<()> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mut part = file.as_os_str().to_owned();
    part.push(format!(".{:08x}.part", fastrand::u32(..)));
    let written = File::options().create_new(true).write(true).open(&part);
    let written = written.and_then(|mut part| {
        if let Ok(old) = std::fs::metadata(&file) {
            part.set_permissions(old.permissions())?;
        }
        part.write_all(text.as_bytes())?;
        part.sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&part, &file));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(file: &str, text: &str, replace: bool) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        if !text.is_empty() {
            std::fs::write(&path, text).unwrap();
        }
        let sink = NewSink {
            name: "mine",
            module: "m.wasm",
            sha256: "4d9a",
            settings: &[
                (vec!["headers".into(), "X".into()], Value::from("1")),
                (vec!["n".into()], Value::from(2)),
            ],
            comments: &[Comment {
                heading: "It asks:",
                lines: vec!["allow.http = [\"http://h\"]".into()],
            }],
        };
        let shown = format!("{}/", folder.path().display());
        sink.write(&path, replace)
            .map_err(|bad| bad.0.replace(&shown, ""))?;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        Ok(std::fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn a_file_is_made() {
        insta::assert_snapshot!(edited("host.toml", "", false).unwrap(), @r#"
        [sink.mine]
        module = "m.wasm"
        sha256 = "4d9a"
        headers = { X = "1" }
        n = 2
        # It asks:
        # allow.http = ["http://h"]
        "#);
    }

    #[test]
    fn what_stands_there_stays() {
        let text = "# ours\nsinks   = ['mine'] # used\n\n[sink.other]\nurl = 'x' # end";
        insta::assert_snapshot!(edited("host.toml", text, false).unwrap(), @r#"
        # ours
        sinks   = ['mine'] # used

        [sink.other]
        url = 'x' # end

        [sink.mine]
        module = "m.wasm"
        sha256 = "4d9a"
        headers = { X = "1" }
        n = 2
        # It asks:
        # allow.http = ["http://h"]
        "#);
        let text = "[project]\nname = 'p'\n\n[tool.pytest-host]\nsinks = []\n\n[tool.x]\ny = 1\n";
        insta::assert_snapshot!(edited("pyproject.toml", text, false).unwrap(), @r#"
        [project]
        name = 'p'

        [tool.pytest-host]
        sinks = []

        [tool.pytest-host.sink.mine]
        module = "m.wasm"
        sha256 = "4d9a"
        headers = { X = "1" }
        n = 2
        # It asks:
        # allow.http = ["http://h"]

        [tool.x]
        y = 1
        "#);
    }

    #[test]
    fn a_name_that_is_taken_is_replaced_only_where_asked_for() {
        let text = "[sink.mine] # mine\nmodule = 'old.wasm' # here\nn = 1\nallow.http = [\"http://h\"]\n\n[sink.mine.headers]\nA = '1'\n";
        assert_eq!(
            edited("host.toml", text, false),
            Err("host.toml: has a table for mine already".into())
        );
        insta::assert_snapshot!(edited("host.toml", text, true).unwrap(), @r#"
        [sink.mine] # mine
        module = "m.wasm" # here
        n = 2
        allow.http = ["http://h"]
        sha256 = "4d9a"

        [sink.mine.headers]
        A = '1'
        X = "1"
        "#);
    }

    #[test]
    fn tables_of_another_form_are_understood_or_refused() {
        let dotted = edited("host.toml", "sink.a.url = 'x'\n", false).unwrap();
        assert!(dotted.contains("[sink.mine]"), "{dotted}");
        let inline = edited("host.toml", "sink = { a = { url = 'x' } }\n", false).unwrap();
        assert!(inline.contains("mine = { module = "), "{inline}");
        let problem = |text: &str| edited("host.toml", text, true).unwrap_err();
        assert_eq!(problem("sink = 1\n"), "host.toml: sink should be a table");
        assert_eq!(
            problem("sink.mine = 1\n"),
            "host.toml: sink.mine should be a table"
        );
    }
}
