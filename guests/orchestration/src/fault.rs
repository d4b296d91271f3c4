//! What is wrong with a description, and where.

use std::fmt;

/// Reads on after the file's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1, as columns are.
    pub line: usize,
    /// In characters.
    pub column: usize,
    pub problem: String,
}

impl Fault {
    /// At so many bytes from the beginning of `text`.
    pub fn at(text: &str, offset: usize, problem: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.problem)
    }
}
