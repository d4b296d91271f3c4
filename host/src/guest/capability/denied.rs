//! Denied calls in the log: each once, so that a guest that tries for ever does not fill it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use unicode_truncate::UnicodeTruncateStr as _;

/// Lines of one kind that a sink gets in one run.
const LINES: usize = 32;
/// Columns of a line that are the guest's own words.
const COLUMNS: usize = 200;

/// What a sink was denied so far. A clone shares it, as the instances of a sink do.
#[derive(Clone, Debug)]
pub struct Denials {
    pub sink: Arc<str>,
    told: Arc<Mutex<HashMap<Kind, HashSet<String>>>>,
}

/// What kind of thing was denied. Each has lines of its own, so that a flood of one
/// does not hide another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Http,
    Files,
    Sockets,
}

impl Denials {
    #[must_use]
    pub fn new(sink: &str) -> Self {
        Self {
            sink: sink.into(),
            told: Arc::default(),
        }
    }

    /// Says that the sink was denied `what`, and what would allow it. Both may hold
    /// words of the guest's.
    pub fn tell(&self, kind: Kind, what: &str, remedy: &str) {
        match self.note(kind, &format!("denied {}; {}", shown(what), shown(remedy))) {
            Told::First(line) => tracing::warn!(sink = %self.sink, "{line}"),
            Told::Last => {
                tracing::warn!(sink = %self.sink, "its further denied calls are left out ({kind:?})");
            }
            Told::Again => {}
        }
    }

    fn note(&self, kind: Kind, line: &str) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = told.entry(kind).or_default();
        if lines.len() > LINES || lines.contains(line) {
            return Told::Again;
        }
        lines.insert(line.to_owned());
        if lines.len() > LINES {
            Told::Last
        } else {
            Told::First(line.to_owned())
        }
    }

    /// What was denied so far, as it was told.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = told.values().flatten().cloned().collect();
        lines.sort();
        lines
    }

    /// The line of configuration that grants `value`.
    #[must_use]
    pub fn allow(&self, key: &str, value: &str) -> String {
        format!("allow.{key} = [{value:?}] in [sink.{}]", self.sink)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    First(String),
    /// The first one that is left out.
    Last,
    Again,
}

/// What a guest may have made up, fit for a line.
fn shown(text: &str) -> String {
    let printable = crate::text::printable(text);
    match printable.unicode_truncate(COLUMNS) {
        (start, _) if start.len() < printable.len() => format!("{start}…"),
        _ => printable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_not_for_ever() {
        let denials = Denials::new("mine");
        let line = |number: usize| denials.note(Kind::Http, &number.to_string());
        assert_eq!(line(0), Told::First("0".into()));
        assert_eq!(line(0), Told::Again);
        for number in 1..LINES {
            assert_eq!(line(number), Told::First(number.to_string()));
        }
        assert_eq!(line(LINES), Told::Last);
        assert_eq!(line(LINES), Told::Again);
        assert_eq!(line(LINES + 1), Told::Again);
        // Another kind has lines of its own, another instance has not.
        assert_eq!(denials.note(Kind::Files, "x"), Told::First("x".into()));
        assert_eq!(denials.clone().note(Kind::Files, "x"), Told::Again);
    }

    #[test]
    fn a_line_is_short_and_one() {
        assert_eq!(shown("a\nb\x1b[2J"), "a b");
        assert_eq!(shown(&"x".repeat(1 << 20)).chars().count(), COLUMNS + 1);
    }
}
