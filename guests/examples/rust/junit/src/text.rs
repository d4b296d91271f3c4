//! Text as pytest's own XML has it.

/// Characters of a message, from pytest 9.2 on.
const MESSAGE: usize = 500;

/// Shows characters that XML cannot hold: `\x1b` as `#x1B`.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let is_legal =
            matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'..='\u{fffd}' | '\u{10000}'..);
        if is_legal {
            escaped.push(c);
        } else {
            let code = u32::from(c);
            let width = if code <= 0xff { 2 } else { 4 };
            escaped.push_str(&format!("#x{code:0width$X}"));
        }
    }
    escaped
}

/// A message of a `message` attribute: from pytest 9.2 on as many whole lines as fit, and a word on the rest.
pub fn shorten(message: &str, pytest: &str) -> String {
    if !has_short_messages(pytest) {
        return message.to_owned();
    }
    let lines: Vec<&str> = message.lines().collect();
    let mut size = 0;
    let fits = |line: &&&str| {
        let before = size;
        size += line.chars().count() + 1;
        before == 0 || size <= MESSAGE
    };
    let kept: Vec<&str> = lines.iter().take_while(fits).copied().collect();
    let left = lines.len() - kept.len();
    let mut shown = kept.join("\n");
    let is_cut = shown.chars().count() > MESSAGE;
    if is_cut {
        shown = shown.chars().take(MESSAGE).chain("...".chars()).collect();
    }
    match (left, is_cut) {
        (0, false) => message.to_owned(),
        (0, true) => shown + "\n[truncated; full report in element text]",
        (1, _) => shown + "\n[+1 more line; full report in element text]",
        _ => format!("{shown}\n[+{left} more lines; full report in element text]"),
    }
}

fn has_short_messages(pytest: &str) -> bool {
    let mut parts = pytest
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version >= (9, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_shown() {
        assert_eq!(escape("a\x1b[1m\0\u{7f}é\n"), "a#x1B[1m#x00#x7Fé\n");
    }

    #[test]
    fn a_message_is_as_long_as_that_pytest_has_it() {
        let long = format!("{}\n{}\nend", "a".repeat(300), "b".repeat(300));
        assert_eq!(shorten(&long, "9.1.0"), long);
        let expected = format!(
            "{}\n[+2 more lines; full report in element text]",
            "a".repeat(300)
        );
        assert_eq!(shorten(&long, "9.2.0"), expected);
        let one = "c".repeat(600);
        let expected = format!(
            "{}...\n[truncated; full report in element text]",
            "c".repeat(500)
        );
        assert_eq!(shorten(&one, "10.0"), expected);
        assert_eq!(shorten("short", "9.2.0"), "short");
    }
}
