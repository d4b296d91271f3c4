//! How times and names are told.

use crate::plan::Instant;

/// `12.5 s`.
pub fn seconds(time: Instant) -> String {
    let (whole, rest) = (time / 1_000_000_000, time % 1_000_000_000 / 1_000_000);
    match rest {
        0 => format!("{whole} s"),
        _ => {
            format!("{whole}.{rest:03}")
                .trim_end_matches('0')
                .to_owned()
                + " s"
        }
    }
}

/// `1 tick`, `2 ticks`.
pub fn many(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A sentence as a fragment that follows a colon.
pub fn fragment(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_lowercase());
    first.into_iter().flatten().chain(letters).collect()
}

/// `; did you mean "…"?`, where one of them is close enough to be meant.
pub fn nearest(word: &str, known: &[&str]) -> String {
    let distance = |other: &&&str| strsim::damerau_levenshtein(word, other);
    let close = known.iter().min_by_key(distance);
    close
        .filter(|other| distance(other) <= 1 + word.chars().count() / 4)
        .map(|other| format!("; did you mean {other:?}?"))
        .unwrap_or_default()
}
