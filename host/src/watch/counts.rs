//! How many tests came to what.

use crate::guest::bindings::events::Verdict;

/// In the order in which they are told, with the contract's words.
pub const VERDICTS: [(Verdict, &str); 9] = [
    (Verdict::Passed, "passed"),
    (Verdict::Failed, "failed"),
    (Verdict::Error, "error"),
    (Verdict::Crashed, "crashed"),
    (Verdict::Interrupted, "interrupted"),
    (Verdict::Skipped, "skipped"),
    (Verdict::Xfailed, "xfailed"),
    (Verdict::Xpassed, "xpassed"),
    (Verdict::Rerun, "rerun"),
];

/// The contract's word.
#[must_use]
pub fn word(verdict: Verdict) -> &'static str {
    let mut words = VERDICTS.iter();
    words
        .find(|(of, _)| *of == verdict)
        .map_or("unknown", |(_, word)| word)
}

/// Tests by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; VERDICTS.len()]);

impl Counts {
    pub fn add(&mut self, verdict: Verdict) {
        for ((of, _), count) in VERDICTS.iter().zip(&mut self.0) {
            *count += u64::from(*of == verdict);
        }
    }

    #[must_use]
    pub fn get(&self, verdict: Verdict) -> u64 {
        let mut pairs = VERDICTS.iter().zip(self.0);
        pairs
            .find(|((of, _), _)| *of == verdict)
            .map_or(0, |(_, count)| count)
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each with its word.
    pub fn iter(&self) -> impl Iterator<Item = (Verdict, &'static str, u64)> {
        let pairs = VERDICTS.iter().zip(self.0);
        pairs.map(|((verdict, word), count)| (*verdict, *word, count))
    }
}

impl serde::Serialize for Counts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(_, word, count)| (word, count)))
    }
}
