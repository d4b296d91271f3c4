//! `${NAME}` and `file:path` in settings: values that are written elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// A file that holds a value has fewer bytes than this.
const FILE_BYTES: u64 = 1 << 20;
const FILE: &str = "file:";

/// The environment that references are looked up in; shown to nobody.
#[derive(Clone, Default)]
pub struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// A text as the sink gets it.
#[derive(Debug, PartialEq, Eq)]
pub enum Expanded {
    /// Nothing in it stands for something else.
    AsWritten,
    /// `$${` stands for `${`.
    Unescaped(String),
    /// Some of it, or all, was written elsewhere.
    Resolved(String),
}

/// Resolves the references in `text`; paths are relative to `folder`.
///
/// # Errors
///
/// What is wrong with one of them, to be read after the setting's name.
pub fn expand(text: &str, folder: &Path, variables: &Variables) -> Result<Expanded, String> {
    let (rest, is_file) = match text.strip_prefix(FILE) {
        Some(path) => (path, true),
        None => (text, false),
    };
    let (expanded, refers) = substitute(rest, variables)?;
    Ok(if is_file {
        Expanded::Resolved(read(&expanded, folder)?)
    } else if refers {
        Expanded::Resolved(expanded)
    } else if expanded == text {
        Expanded::AsWritten
    } else {
        Expanded::Unescaped(expanded)
    })
}

/// With variables put in, and whether there were any.
fn substitute(text: &str, variables: &Variables) -> Result<(String, bool), String> {
    let mut expanded = String::new();
    let (mut rest, mut refers) = (text, false);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (name, behind) = after
            .split_once('}')
            .filter(|(name, _)| is_name(name))
            .ok_or("a variable is written ${NAME}; for the characters themselves write $${")?;
        let value = variables
            .0
            .get(name)
            .ok_or_else(|| format!("the environment variable {name} is not set"))?;
        expanded.push_str(before);
        expanded.push_str(value);
        rest = behind;
        refers = true;
    }
    expanded.push_str(rest);
    Ok((expanded, refers))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What the file holds, without the line break at its end.
fn read(path: &str, folder: &Path) -> Result<String, String> {
    let file = folder.join(path);
    let bad = |problem: &dyn fmt::Display| format!("{}: {problem}", file.display());
    let unreadable = |error: std::io::Error| bad(&format_args!("cannot be read: {error}"));
    let mut bytes = Vec::new();
    std::fs::File::open(&file)
        .and_then(|opened| opened.take(FILE_BYTES).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 == FILE_BYTES {
        return Err(bad(&"is too large to hold a setting"));
    }
    let text = String::from_utf8(bytes).map_err(|_| bad(&"is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, folder: &Path) -> Result<Expanded, String> {
        let variables = [("A", "1"), ("B_2", "${A}"), ("DIR", "sub"), ("EMPTY", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        expand(text, folder, &Variables::new(variables))
    }

    #[test]
    fn variables_are_put_in_once() {
        let expanded = |text: &str| expanded(text, Path::new("/"));
        let resolved = |text: &str| Ok(Expanded::Resolved(text.to_owned()));
        assert_eq!(expanded("Bearer ${A}-${A}"), resolved("Bearer 1-1"));
        assert_eq!(expanded("${B_2}"), resolved("${A}"));
        assert_eq!(expanded("${EMPTY}"), resolved(""));
        assert_eq!(expanded("$${A} ${A}"), resolved("${A} 1"));
        assert_eq!(
            expanded("a $${A}"),
            Ok(Expanded::Unescaped("a ${A}".into()))
        );
        for text in ["", "$A", "a$", "{A}", "profile:x"] {
            assert_eq!(expanded(text), Ok(Expanded::AsWritten), "{text}");
        }
        assert_eq!(
            expanded("${NOPE}"),
            Err("the environment variable NOPE is not set".into())
        );
        for text in ["${", "${A", "${}", "${A B}", "${1}"] {
            assert!(expanded(text).unwrap_err().contains("${NAME}"), "{text}");
        }
    }

    #[test]
    fn files_are_read_without_their_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        };
        write("t", b"one\ntwo\n\n");
        write("sub/t", b"x ${A}\r\n");
        write("bytes", b"\xff");
        write("large", &vec![b'a'; 1 << 20]);
        let expanded = |text: &str| expanded(text, folder.path());
        let resolved = |text: &str| Ok(Expanded::Resolved(text.to_owned()));
        assert_eq!(expanded("file:t"), resolved("one\ntwo\n"));
        assert_eq!(expanded("file:${DIR}/t"), resolved("x ${A}"));
        let absolute = format!("file://{}/t", folder.path().display());
        assert_eq!(expanded(&absolute), resolved("one\ntwo\n"));
        let problem = |text: &str| {
            let folder = format!("{}/", folder.path().display());
            expanded(text).unwrap_err().replace(&folder, "")
        };
        insta::assert_snapshot!(problem("file:none"), @"none: cannot be read: No such file or directory (os error 2)");
        insta::assert_snapshot!(problem("file:bytes"), @"bytes: is not UTF-8");
        insta::assert_snapshot!(problem("file:large"), @"large: is too large to hold a setting");
    }
}
