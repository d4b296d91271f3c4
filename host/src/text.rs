//! Text for people.

/// `text` without line breaks, and with one space where it has many.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` in one line and with nothing in it that a terminal acts on: escape
/// sequences, control characters, marks that turn the direction of writing.
#[must_use]
pub fn printable(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let mut kept = one_line(&stripped);
    kept.retain(|c| !c.is_control() && !turns(c));
    kept
}

/// The lines of `text` that are not blank, each as `printable` but for its spaces.
pub fn printable_lines(text: &str) -> impl Iterator<Item = String> {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let lines: Vec<String> = stripped
        .lines()
        .map(|line| {
            let mut kept = line.replace('\t', "    ");
            kept.retain(|c| !c.is_control() && !turns(c));
            kept.trim_end().to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter()
}

/// `text` in one line, with whatever a terminal acts on shown as Rust writes it.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// What is kept of a text that a guest answered with.
const BRIEF: usize = 500;

/// `text` as [`printable`] has it, cut where it is longer than people read.
#[must_use]
pub fn brief(text: &str) -> String {
    // Cut first, generously: it may be as large as a guest's memory.
    let start = text.get(..text.floor_char_boundary(16 * BRIEF));
    let mut kept = printable(start.unwrap_or_default());
    if kept.len() > BRIEF {
        kept.truncate(kept.floor_char_boundary(BRIEF));
        kept.push('…');
    }
    kept
}

/// Bytes, such as a digest, in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown() {
        assert_eq!(visible("a\nb\t\x1b[31m"), r"a\nb\t\u{1b}[31m");
        assert_eq!(visible("é \u{202e}表"), r"é \u{202e}表");
    }

    #[test]
    fn what_nobody_would_read_is_cut() {
        assert_eq!(brief("no  such\nhost"), "no such host");
        let long = brief(&"é".repeat(10 << 20));
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), BRIEF / 2);
        assert!(long.ends_with('…'));
        assert_eq!(brief(&"\0".repeat(10_000)), "");
    }

    #[test]
    fn what_a_terminal_acts_on_is_taken_out() {
        assert_eq!(printable("a\x1b[31mred\x1b[0m b"), "ared b");
        assert_eq!(printable("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b"), "ab");
        assert_eq!(printable("a\r\n\tb\x08\x7f\u{9b}31m"), "a b31m");
        let lines: Vec<String> = printable_lines("  a\x1b[31m \n\n\tb\x07\u{202e}").collect();
        assert_eq!(lines, ["  a", "    b"]);
        assert_eq!(printable("gnp\u{202e}exe.\u{2066}"), "gnpexe.");
        assert_eq!(printable("表 é 👩‍👩‍👧 test[x]"), "表 é 👩‍👩‍👧 test[x]");
    }
}
