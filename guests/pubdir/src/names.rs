//! Which folder a test's results go to.
//!
//! A test's name may hold anything: slashes, `..`, control characters, a thousand letters. It becomes one path
//! segment, different names become different segments, and whatever a file system takes as it is stays as it
//! is, since the folders are there for people to look into.
//!
//! | of a name | becomes |
//! |---|---|
//! | `/`, control, bidirectional and zero-width characters | `%` and two hex digits for each UTF-8 byte |
//! | a `%` that two hex digits follow | `%25` |
//! | a dot at the start; dots and spaces at the end | `%2E`, `%20` |
//! | the first letter of a name that means something else: `count`, `0.pass`, `CON`, `lpt1.txt` | `%` and two hex digits |
//! | nothing at all | `%empty` |
//! | what is longer than 200 bytes, or looks as if it had been | its start, `~`, and 16 hex digits of its SHA-256 |

use sha2::{Digest as _, Sha256};

/// Longest segment in bytes. File systems take 255; what is left is for what a user's tools add to a name.
const LONGEST: usize = 200;
/// Hex digits of the hash that stands for what was cut off.
const HASH: usize = 16;
const EMPTY: &str = "%empty";

/// The folder of a test below the top, one segment a level; a scope is a path of its own.
pub fn folder(scope: Option<&str>, name: &str) -> Vec<String> {
    scope
        .iter()
        .flat_map(|scope| scope.split('/'))
        .chain([name])
        .map(encode)
        .collect()
}

/// Makes a path segment of any text.
pub fn encode(name: &str) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let units = || units(name);
    if units().map(|unit| unit.len()).sum::<usize>() <= LONGEST && !looks_cut(name) {
        return units().collect();
    }
    let mut cut = String::with_capacity(LONGEST);
    for unit in units() {
        if cut.len() + unit.len() > LONGEST - HASH - 1 {
            break;
        }
        cut += &unit;
    }
    let hash = Sha256::digest(name)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    format!("{cut}~{hash:.HASH$}")
}

/// The index of a result's folder, such as `12` of `12.pass`.
pub fn result_index(name: &str) -> Option<u64> {
    let (index, outcome) = name.split_once('.')?;
    if matches!(outcome, "pass" | "skip" | "fail") {
        self::index(index)
    } else {
        None
    }
}

/// A number that counts results. One of more digits than a test is ever run was put there by somebody else.
pub fn index(text: &str) -> Option<u64> {
    if is_digits(text) {
        text.parse::<u32>().ok().map(u64::from)
    } else {
        None
    }
}

/// What each character becomes.
fn units(name: &str) -> impl Iterator<Item = String> {
    let body = name.trim_end_matches(['.', ' ']).len();
    let means_something_else = name.starts_with('.') || is_ours(name) || is_device(name);
    name.char_indices().map(move |(at, c)| {
        let rest = name.get(at + c.len_utf8()..).unwrap_or_default();
        if at >= body
            || (at == 0 && means_something_else)
            || is_hidden(c)
            || (c == '%' && starts_with_hex(rest))
        {
            c.encode_utf8(&mut [0; 4])
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect()
        } else {
            c.to_string()
        }
    })
}

/// Whether a name is one of those that lie beside it, or stands for another; letters of either case, since
/// there are file systems that take them for the same.
fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_result = match name.split_once('.') {
        Some((index, "pass" | "skip" | "fail")) => is_digits(index),
        _ => false,
    };
    is_result || name == "count" || name == EMPTY
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches(' ')
        .to_ascii_uppercase();
    match stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"))
    {
        Some(number) => {
            let mut number = number.chars();
            matches!(
                (number.next(), number.next()),
                (Some('0'..='9' | '¹' | '²' | '³'), None)
            )
        }
        None => matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL"),
    }
}

/// Whether a name ends like one that was cut.
fn looks_cut(name: &str) -> bool {
    let end = name
        .len()
        .checked_sub(HASH + 1)
        .and_then(|at| name.get(at..));
    let hash = end.and_then(|end| end.strip_prefix('~'));
    hash.is_some_and(|hash| {
        hash.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn starts_with_hex(text: &str) -> bool {
    matches!(text.as_bytes(), [first, second, ..] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit())
}

/// Characters that no path segment can hold, or that are not seen where they are.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '/'
        | '\u{ad}'                  // soft hyphen
        | '\u{61c}'                 // Arabic letter mark
        | '\u{180e}'                // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}'   // zero-width space and joiners, direction marks
        | '\u{2028}'..='\u{202e}'   // line and paragraph separators, embeddings and overrides
        | '\u{2060}'..='\u{206f}'   // word joiner, invisible operators, isolates, deprecated controls
        | '\u{feff}'                // zero-width no-break space
        | '\u{fff9}'..='\u{fffb}'   // interlinear annotation
    ) || c.is_control()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Undoes `encode` for names that were not cut.
    fn decode(segment: &str) -> String {
        if segment == EMPTY {
            return String::new();
        }
        let mut bytes = Vec::new();
        let mut rest = segment;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            if c == '%' && starts_with_hex(after) {
                bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.extend(c.to_string().bytes());
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn names_become_segments() {
        for (name, segment) in [
            ("test_odd[a::b]", "test_odd[a::b]"),
            ("test_odd[quo'te\"s] \\ x", "test_odd[quo'te\"s] \\ x"),
            ("ünï ☃ 50%", "ünï ☃ 50%"),
            ("a/b", "a%2Fb"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            (".lock", "%2Elock"),
            (".claim-0", "%2Eclaim-0"),
            ("a. .", "a%2E%20%2E"),
            ("   ", "%20%20%20"),
            ("", "%empty"),
            ("%empty", "%25empty"),
            ("%2F", "%252F"),
            ("%2g", "%2g"),
            ("%2/", "%2%2F"),
            (
                "nul\0 tab\t del\u{7f} c1\u{85}",
                "nul%00 tab%09 del%7F c1%C2%85",
            ),
            (
                "a\u{202e}b\u{200b}\u{2028}\u{feff}",
                "a%E2%80%AEb%E2%80%8B%E2%80%A8%EF%BB%BF",
            ),
            ("count", "%63ount"),
            ("Count", "%43ount"),
            ("counts", "counts"),
            ("0.pass", "%30.pass"),
            ("12.fail", "%312.fail"),
            ("1.5.fail", "1.5.fail"),
            ("x.fail", "x.fail"),
            ("CON", "%43ON"),
            ("con.txt", "%63on.txt"),
            ("Aux .a.b", "%41ux .a.b"),
            ("lpt0", "%6Cpt0"),
            ("com10", "com10"),
            ("COM²", "%43OM²"),
            ("console", "console"),
        ] {
            assert_eq!(encode(name), segment);
            assert_eq!(decode(segment), name);
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "é".repeat(150);
        let segment = encode(&long);
        assert_eq!(segment, format!("{}~cb1fa3158102cb16", "é".repeat(91)));
        let escaped = encode(&"\n".repeat(90));
        assert!(
            escaped.starts_with(&format!("{}~", "%0A".repeat(61))),
            "{escaped}"
        );
        assert_ne!(encode(&"a".repeat(300)), encode(&"a".repeat(301)));
        assert_eq!(encode(&"a".repeat(200)), "a".repeat(200));
    }

    #[test]
    fn nothing_passes_for_a_name_that_was_cut() {
        let cut = encode(&"a".repeat(300));
        assert_ne!(encode(&cut), cut);
        assert_ne!(encode("a~0123456789abcdef"), "a~0123456789abcdef");
    }

    #[test]
    fn a_scope_is_a_path() {
        assert_eq!(
            folder(Some("groups/test_groups.py::test_a[x/y]"), "test_a[x/y]"),
            ["groups", "test_groups.py::test_a[x", "y]", "test_a[x%2Fy]"]
        );
        assert_eq!(
            folder(Some("/a//.."), "n"),
            ["%empty", "a", "%empty", "%2E%2E", "n"]
        );
        assert_eq!(folder(None, "n"), ["n"]);
    }

    #[test]
    fn captured_folders_keep_their_names() {
        let golden: BTreeMap<String, String> =
            serde_json::from_str(include_str!("../golden/main.pubdir-all.json")).unwrap();
        for path in golden.keys().filter(|path| path.ends_with("/count")) {
            let name = path.strip_suffix("/count").unwrap();
            assert_eq!(encode(name), name.replace('/', "%2F"));
        }
    }

    /// Names made of what is special here, more often than chance would have it.
    fn names() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<char>().prop_map(String::from),
            "[%./~ 0-9a-fA-F]{1,4}",
            Just("count".to_owned()),
            Just("%empty".to_owned()),
            Just("CON".to_owned()),
            Just("7.pass".to_owned()),
            Just("~0123456789abcdef".to_owned()),
            "[a-z]{50}",
        ];
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn was_cut(name: &str) -> bool {
        looks_cut(&encode(name))
    }

    proptest! {
        #[test]
        fn encoding_can_be_undone(name in names()) {
            prop_assume!(!was_cut(&name));
            prop_assert_eq!(decode(&encode(&name)), name);
        }

        #[test]
        fn different_names_have_different_segments(a in names(), b in names()) {
            let same_cut = encode(&encode(&a)) == encode(&a) && was_cut(&a);
            prop_assert!(!same_cut);
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }

        #[test]
        fn a_segment_stays_in_its_folder(name in names()) {
            let segment = encode(&name);
            prop_assert!(!segment.is_empty() && segment.len() <= LONGEST);
            prop_assert!(!segment.contains('/') && !segment.chars().any(char::is_control));
            prop_assert!(!segment.starts_with('.') && !segment.ends_with(['.', ' ']));
            prop_assert!(segment != "count" && result_index(&segment).is_none());
        }
    }
}
