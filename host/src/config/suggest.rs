//! "did you mean …?"

/// How alike two words have to be; below, a suggestion puzzles more than it helps.
const ALIKE: f64 = 0.7;

/// `; did you mean "…"?` with the most similar of `known`, where one is similar.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("; did you mean {candidate:?}?"))
}
