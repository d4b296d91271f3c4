//! What nobody is to read: which settings are secret, and their values, taken out
//! of all that this process tells.

use std::borrow::Cow;
use std::io;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use crate::text::one_line;

/// In place of a secret.
pub const HIDDEN: &str = "[redacted]";
/// Values of fewer bytes are not looked for: every other text would have them.
const SHORTEST: usize = 4;

/// Settings, and entries of tables such as headers, with one of these in their name are
/// secret. The adapter has the same list.
const NAMES: [&str; 8] = [
    "token",
    "secret",
    "password",
    "passwd",
    "key",
    "authorization",
    "cookie",
    "credential",
];

/// The longest first, so that none is found within another.
static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Whether a setting of this name is secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// The `user:password` of a URL that has them.
#[must_use]
pub fn userinfo(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (userinfo, _) = authority.rsplit_once('@')?;
    userinfo.contains(':').then_some(userinfo)
}

/// From here on [`scrub`] takes `value` out.
pub fn learn(value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    // `Bearer …`: what follows the scheme is a secret by itself.
    let credentials = text.split_once(' ').map(|(_, rest)| rest.trim());
    let parts = [Some(text.trim()), credentials, userinfo(&text)];
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for part in parts.into_iter().flatten() {
        let quoted = format!("{part:?}");
        let escaped = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        let escaped = escaped.unwrap_or(part).to_owned();
        for form in [part.to_owned(), one_line(part), escaped] {
            if form.len() >= SHORTEST && !known.contains(&form) {
                known.push(form);
            }
        }
    }
    known.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// `text` without any secret that is known so far.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut scrubbed = Cow::Borrowed(text);
    for secret in known.iter() {
        if scrubbed.contains(secret.as_str()) {
            scrubbed = Cow::Owned(scrubbed.replace(secret.as_str(), HIDDEN));
        }
    }
    scrubbed
}

/// [`scrub`] for a text that is at hand.
#[must_use]
pub fn scrubbed(text: String) -> String {
    match scrub(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(scrubbed) => scrubbed,
    }
}

/// A writer whose lines are scrubbed; each has to come in one piece.
#[derive(Debug)]
pub struct Scrubbing<W>(pub W);

impl<W: io::Write> io::Write for Scrubbing<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(scrub(text).as_bytes())?,
            Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn secret_settings_are_known_by_their_names() {
        for name in [
            "token",
            "API_TOKEN",
            "x-api-key",
            "Authorization",
            "Set-Cookie",
            "client_secret",
            "db-password",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["url", "headers", "Accept", "author", "custom_id", "dir"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_url_may_hold_a_password() {
        assert_eq!(userinfo("https://me:pw@h.example/p?q"), Some("me:pw"));
        assert_eq!(userinfo("https://me:p@w@h.example"), Some("me:p@w"));
        assert_eq!(userinfo("https://me@h.example"), None);
        assert_eq!(userinfo("https://h.example:80/a@b:c"), None);
        assert_eq!(userinfo("me:pw@h"), None);
    }

    #[test]
    fn what_was_learned_is_taken_out_in_every_form() {
        learn(&Value::from("Bearer scrub-\"this\""));
        learn(&Value::from("http://scrub:me@h.example/"));
        learn(&Value::from(918_273_645));
        learn(&Value::from("scrub-me-longer"));
        learn(&Value::from("scrub-me"));
        learn(&Value::from("x"));
        assert_eq!(scrub("a Bearer scrub-\"this\" b"), "a [redacted] b");
        assert_eq!(scrub("only scrub-\"this\""), "only [redacted]");
        assert_eq!(scrub(r#"got "scrub-\"this\"""#), r#"got "[redacted]""#);
        assert_eq!(scrub("http://scrub:me@other/"), "http://[redacted]@other/");
        assert_eq!(
            scrub("expected text, not 918273645"),
            "expected text, not [redacted]"
        );
        assert_eq!(scrub("scrub-me-longer, scrub-me"), "[redacted], [redacted]");
        assert_eq!(scrub("x"), "x");
        let mut line = Scrubbing(Vec::new());
        line.write_all(b"WARN scrub-me\n").unwrap();
        line.write_all(b"\xff scrub\n").unwrap();
        assert_eq!(line.0, b"WARN [redacted]\n\xff scrub\n");
    }
}
