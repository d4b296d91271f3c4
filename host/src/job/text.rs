//! A job's `text`: what it printed, cut where it is long.

use std::path::Path;

use super::output::Pieces;

/// The most that an answer or a message has of a text.
pub const LONGEST: u64 = 1 << 20;

/// What the process in `run` printed, at most about `limit` bytes of it, and `notes` in
/// lines of their own.
pub fn text(run: Option<&Path>, notes: &[String], id: &str, limit: u64) -> String {
    let bytes = run.map(|run| printed(run, id, limit)).unwrap_or_default();
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for note in notes {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("host: ");
        text.push_str(note);
        text.push('\n');
    }
    text
}

fn printed(run: &Path, id: &str, limit: u64) -> Vec<u8> {
    let Ok(pieces) = Pieces::find(run) else {
        return Vec::new();
    };
    let end = pieces.end();
    if end <= limit && pieces.left_out(0..end) == 0 {
        return pieces.read(0, limit).unwrap_or_default();
    }
    let half = limit / 2;
    let mut text = cut_end(pieces.read(0, half).unwrap_or_default());
    let begin = pieces.last_contiguous().max(end.saturating_sub(half));
    let last = cut_start(pieces.read(begin, half).unwrap_or_default());
    let left_out = end
        .saturating_sub(text.len() as u64)
        .saturating_sub(last.len() as u64);
    let for_good = pieces.left_out(0..end);
    let kept = match for_good {
        0 => "all of it".to_owned(),
        _ => format!("all but {for_good} that nobody kept"),
    };
    let line = format!(
        "\n[host: {left_out} bytes are left out here; {kept}: host job logs {}]\n",
        shell_words::quote(id)
    );
    text.extend_from_slice(line.as_bytes());
    text.extend_from_slice(&last);
    text
}

/// Without what is left of a character at the end.
fn cut_end(mut bytes: Vec<u8>) -> Vec<u8> {
    let start = bytes
        .iter()
        .rev()
        .take(4)
        .position(|byte| byte & 0xC0 != 0x80);
    if let Some(back) = start {
        let at = bytes.len() - 1 - back;
        if std::str::from_utf8(bytes.get(at..).unwrap_or_default()).is_err() {
            bytes.truncate(at);
        }
    }
    bytes
}

/// Without what is left of a character at the start.
fn cut_start(bytes: Vec<u8>) -> Vec<u8> {
    let within = bytes
        .iter()
        .take(3)
        .take_while(|byte| **byte & 0xC0 == 0x80);
    let skip = within.count();
    bytes.into_iter().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_whole_or_not_there() {
        let text = "aé表😀".as_bytes();
        for cut in 0..=text.len() {
            let (start, end) = text.split_at(cut);
            assert!(
                std::str::from_utf8(&cut_end(start.to_vec())).is_ok(),
                "{cut}"
            );
            assert!(
                std::str::from_utf8(&cut_start(end.to_vec())).is_ok(),
                "{cut}"
            );
        }
        assert_eq!(cut_end(text.to_vec()), text);
        assert_eq!(cut_start(text.to_vec()), text);
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let run = tempfile::tempdir().unwrap();
        std::fs::write(run.path().join("output"), "0123456789").unwrap();
        assert_eq!(text(Some(run.path()), &[], "a b", 10), "0123456789");
        let cut = text(Some(run.path()), &[], "a b", 4);
        insta::assert_snapshot!(cut, @r"
        01
        [host: 6 bytes are left out here; all of it: host job logs 'a b']
        89
        ");
        std::fs::write(run.path().join("output.100"), "abc").unwrap();
        let cut = text(Some(run.path()), &["It ended.".into()], "x", 40);
        insta::assert_snapshot!(cut, @r"
        0123456789
        [host: 90 bytes are left out here; all but 90 that nobody kept: host job logs x]
        abc
        host: It ended.
        ");
        assert_eq!(text(None, &["No.".into()], "x", 40), "host: No.\n");
    }
}
