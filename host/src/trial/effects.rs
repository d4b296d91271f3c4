//! What a sink has done that somebody could see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Something that a sink sent: a request, or a message over a WebSocket (method `WS`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    pub method: String,
    pub url: String,
    /// By name.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Sent {
    /// A message over a WebSocket.
    #[must_use]
    pub fn message(url: &str, text: &str) -> Self {
        Self {
            method: "WS".to_owned(),
            url: url.to_owned(),
            headers: vec![],
            body: text.as_bytes().to_vec(),
        }
    }
}

/// Files, by their path below the folder that was granted, and what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub files: BTreeMap<String, Vec<u8>>,
    pub sent: Vec<Sent>,
}

impl Effects {
    /// Everything below `folder`, each granted folder under its own name.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn files_below(folder: &Path, name: &str) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        collect(folder, name, &mut files)?;
        Ok(files)
    }

    /// Whether anything was done at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.files.is_empty() && self.sent.is_empty()
    }

    /// How many things were sent more than once.
    #[must_use]
    pub fn repeated(&self) -> usize {
        let distinct: BTreeSet<&Sent> = self.sent.iter().collect();
        self.sent.len() - distinct.len()
    }

    /// What is other than in `expected`, the first thing of it; none where files are equal and
    /// the same was sent, however often.
    #[must_use]
    pub fn differs_from(&self, expected: &Self) -> Option<String> {
        for (path, content) in &expected.files {
            match self.files.get(path) {
                None => return Some(format!("{path} is not there")),
                Some(found) if found != content => {
                    return Some(format!("{path} is another: {}", first_line(content, found)));
                }
                Some(_) => {}
            }
        }
        if let Some(path) = self
            .files
            .keys()
            .find(|path| !expected.files.contains_key(*path))
        {
            return Some(format!("{path} is there, too"));
        }
        let (ours, theirs): (BTreeSet<&Sent>, BTreeSet<&Sent>) =
            (self.sent.iter().collect(), expected.sent.iter().collect());
        if let Some(missing) = theirs.difference(&ours).next() {
            return Some(format!("was not sent: {}", brief(missing)));
        }
        let more = ours.difference(&theirs).next()?;
        Some(format!("was sent, too: {}", brief(more)))
    }

    /// All of it as text. What is equal is shown once; what was sent is in an order of its own,
    /// since requests may overtake one another.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for (path, content) in &self.files {
            let _ = writeln!(text, "--- file {path}");
            push(&mut text, content);
        }
        let mut counts: BTreeMap<&Sent, usize> = BTreeMap::new();
        for sent in &self.sent {
            *counts.entry(sent).or_default() += 1;
        }
        for (sent, count) in counts {
            let times = if count > 1 {
                format!(" ({count} times)")
            } else {
                String::new()
            };
            let _ = writeln!(text, "--- {} {}{times}", sent.method, sent.url);
            for (name, value) in &sent.headers {
                let _ = writeln!(text, "{name}: {value}");
            }
            if !sent.headers.is_empty() {
                text.push('\n');
            }
            push(&mut text, &sent.body);
        }
        text
    }
}

fn collect(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, files)?;
        } else {
            files.insert(path, std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

fn push(text: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(content) => {
            text.push_str(content);
            if !content.is_empty() && !content.ends_with('\n') {
                text.push('\n');
            }
        }
        Err(_) => {
            let _ = writeln!(text, "({} bytes that are no text)", bytes.len());
        }
    }
}

fn first_line(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = (
        String::from_utf8_lossy(expected),
        String::from_utf8_lossy(found),
    );
    let mut lines = expected.lines();
    let mut others = found.lines();
    let mut number = 1;
    loop {
        let (expected, found) = (lines.next(), others.next());
        if expected != found || expected.is_none() {
            let quote = |line: Option<&str>| {
                line.map_or_else(|| "nothing".to_owned(), |line| format!("{:?}", cut(line)))
            };
            return format!(
                "line {number} is {} and was {}",
                quote(found),
                quote(expected)
            );
        }
        number += 1;
    }
}

fn brief(sent: &Sent) -> String {
    let body = String::from_utf8_lossy(&sent.body);
    format!("{} {} {}", sent.method, sent.url, cut(&body))
}

fn cut(text: &str) -> String {
    const CHARACTERS: usize = 120;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(files: &[(&str, &str)], bodies: &[&str]) -> Effects {
        Effects {
            files: files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
                .collect(),
            sent: bodies
                .iter()
                .map(|body| Sent::message("ws://h/", body))
                .collect(),
        }
    }

    #[test]
    fn what_is_sent_again_is_no_difference() {
        let expected = effects(&[("d/a", "1\n")], &["x", "y"]);
        let found = effects(&[("d/a", "1\n")], &["y", "x", "y"]);
        assert_eq!(found.differs_from(&expected), None);
        assert_eq!(found.repeated(), 1);
    }

    #[test]
    fn the_first_difference_is_told() {
        let expected = effects(&[("d/a", "1\n2\n")], &["x"]);
        let told = |files: &[(&str, &str)], bodies: &[&str]| {
            effects(files, bodies).differs_from(&expected).unwrap()
        };
        assert_eq!(told(&[], &["x"]), "d/a is not there");
        assert_eq!(
            told(&[("d/a", "1\n2\n2\n")], &["x"]),
            "d/a is another: line 3 is \"2\" and was nothing"
        );
        assert_eq!(
            told(&[("d/a", "1\n2\n"), ("d/b", "")], &["x"]),
            "d/b is there, too"
        );
        assert_eq!(
            told(&[("d/a", "1\n2\n")], &["z"]),
            "was not sent: WS ws://h/ x"
        );
        assert_eq!(
            told(&[("d/a", "1\n2\n")], &["x", "z"]),
            "was sent, too: WS ws://h/ z"
        );
    }

    #[test]
    fn all_of_it_is_shown() {
        let mut effects = effects(&[("d/a", "1")], &["y", "x", "y"]);
        effects.files.insert("d/b".into(), vec![0xff]);
        assert_eq!(
            effects.shown(),
            "--- file d/a\n1\n--- file d/b\n(1 bytes that are no text)\n\
             --- WS ws://h/\nx\n--- WS ws://h/ (2 times)\ny\n"
        );
    }
}
