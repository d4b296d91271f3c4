//! `Range: bytes=…`

/// The bytes that a header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// From the first to the last, or to the end.
    From(u64, Option<u64>),
    /// This many of the end.
    Last(u64),
}

impl Wanted {
    /// What is no single range of bytes is as if it were not there.
    pub fn read(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More than there can be is as good as that.
            true => Some(text.parse().unwrap_or(u64::MAX)),
            false => None,
        };
        match (first, last) {
            ("", "") => None,
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(|first| Self::From(first, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The first byte and the one behind the last, of so many; none where there are none.
    pub fn of(self, length: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(length, |last| last.saturating_add(1))),
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        let end = end.min(length);
        (start < end).then_some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        let of_ten = |text: &str| Wanted::read(text).map(|asked| asked.of(10));
        for (text, range) in [
            ("bytes=0-3", (0, 4)),
            ("Bytes= 5-", (5, 10)),
            ("bytes=5-99999999999999999999999", (5, 10)),
            ("bytes=-4", (6, 10)),
            ("bytes=-40", (0, 10)),
        ] {
            assert_eq!(of_ten(text), Some(Some(range)), "{text}");
        }
        for text in ["bytes=10-", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(of_ten(text), Some(None), "{text}");
        }
        for text in [
            "bytes=3-1",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes",
            "bytes=+1-2",
        ] {
            assert_eq!(of_ten(text), None, "{text}");
        }
    }
}
