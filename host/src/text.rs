//! Text for people.

/// `text` without line breaks, and with one space where it has many.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
