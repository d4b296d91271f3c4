//! What a job has printed, as text.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::board::Render;
use crate::job::Chunk;

/// The end of what was printed.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct OutputState {
    /// Of the first byte of `text` among all that was printed.
    offset: u64,
    text: String,
    /// The process has ended: nothing more comes.
    whole: bool,
}

/// What was printed after that.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutputChange {
    /// Of the first byte of `text`.
    offset: u64,
    /// Bytes before it that nobody kept.
    left_out: u64,
    text: String,
    whole: bool,
}

/// Reads chunks; a character may come in two of them.
#[derive(Debug, Default)]
pub struct Printed {
    /// Text, and the bytes that it was.
    tail: VecDeque<(Arc<str>, u64)>,
    /// Where the tail begins.
    offset: u64,
    /// Where the next chunk begins, unless something is left out.
    end: u64,
    /// The beginning of a character.
    begun: Vec<u8>,
    whole: bool,
}

impl Printed {
    /// Bytes that are in the state at least, where there are so many.
    pub const TAIL: u64 = 64 << 10;

    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes the next chunk in; answers with what that changes.
    pub fn add(&mut self, chunk: &Chunk) -> Option<String> {
        let mut bytes = std::mem::take(&mut self.begun);
        if chunk.left_out > 0 || self.tail.is_empty() && bytes.is_empty() {
            self.tail.clear();
            bytes.clear();
            self.offset = chunk.offset;
        }
        let offset = chunk.offset - bytes.len() as u64;
        bytes.extend_from_slice(&chunk.bytes);
        self.end = chunk.offset + chunk.bytes.len() as u64;
        self.begun = bytes.split_off(bytes.len() - unfinished(&bytes));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.push(&text, bytes.len() as u64);
        change(&OutputChange {
            offset,
            left_out: chunk.left_out,
            text,
            whole: false,
        })
    }

    /// Nothing more comes.
    pub fn finish(&mut self) -> Option<String> {
        self.whole = true;
        let rest = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&rest).into_owned();
        self.push(&text, rest.len() as u64);
        change(&OutputChange {
            offset: self.end - rest.len() as u64,
            left_out: 0,
            text,
            whole: true,
        })
    }

    /// Writes the end of it.
    #[must_use]
    pub fn render(&self) -> Render {
        let tail: Vec<Arc<str>> = self.tail.iter().map(|(text, _)| Arc::clone(text)).collect();
        let (offset, whole) = (self.offset, self.whole);
        Arc::new(move || {
            let text = tail.concat();
            let state = OutputState {
                offset,
                text,
                whole,
            };
            serde_json::to_string(&state).unwrap_or_default()
        })
    }

    fn push(&mut self, text: &str, bytes: u64) {
        if bytes > 0 {
            self.tail.push_back((text.into(), bytes));
        }
        let mut kept: u64 = self.tail.iter().map(|(_, bytes)| bytes).sum();
        while let Some((_, first)) = self
            .tail
            .front()
            .filter(|(_, first)| kept - first >= Self::TAIL)
        {
            kept -= first;
            self.offset += first;
            self.tail.pop_front();
        }
    }
}

fn change(change: &OutputChange) -> Option<String> {
    serde_json::to_string(change).ok()
}

/// How many bytes at the end are a character that is not whole.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(3).enumerate();
    for (behind, byte) in last {
        let length = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if behind + 1 < length { behind + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn chunk(offset: u64, left_out: u64, bytes: &[u8]) -> Chunk {
        Chunk {
            offset,
            left_out,
            bytes: bytes.to_vec().into(),
        }
    }

    fn state(printed: &Printed) -> Value {
        serde_json::from_str(&printed.render()()).unwrap()
    }

    #[test]
    fn what_nobody_kept_is_told() {
        let mut printed = Printed::default();
        printed.add(&chunk(0, 0, b"abc\xe8"));
        let told = printed.add(&chunk(10, 6, b"xyz")).unwrap();
        assert_eq!(
            told,
            r#"{"offset":10,"left_out":6,"text":"xyz","whole":false}"#
        );
        let ended = printed.finish().unwrap();
        assert_eq!(
            ended,
            r#"{"offset":13,"left_out":0,"text":"","whole":true}"#
        );
        let expected = serde_json::json!({"offset": 10, "text": "xyz", "whole": true});
        assert_eq!(state(&printed), expected);
    }

    #[test]
    fn the_end_is_kept() {
        let mut printed = Printed::default();
        let line = [b'x'; 1000];
        for number in 0..200 {
            printed.add(&chunk(number * 1000, 0, &line));
        }
        let state = state(&printed);
        let length = state["text"].as_str().unwrap().len() as u64;
        assert!((Printed::TAIL..Printed::TAIL + 1000).contains(&length));
        assert_eq!(state["offset"], 200_000 - length);
    }

    proptest! {
        /// However it is cut, the text is what was printed.
        #[test]
        fn characters_come_whole(text in "[a-zé表👩\u{7f}\n]{0,60}", cuts in prop::collection::vec(0..200usize, 0..9)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut printed = Printed::default();
            let (mut said, mut at) = (String::new(), 0);
            let mut take = |told: Option<String>| {
                let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
                assert_eq!(told["offset"], at);
                let new = told["text"].as_str().unwrap();
                at += new.len();
                said.push_str(new);
            };
            for pair in cuts.windows(2) {
                take(printed.add(&chunk(pair[0] as u64, 0, &bytes[pair[0]..pair[1]])));
            }
            take(printed.finish());
            prop_assert_eq!(&said, &text);
            prop_assert_eq!(&state(&printed)["text"], &text);
        }
    }
}
