//! Messages to a WebSocket server, over a connection that the host keeps, and what a failure means for an event.

#[cfg(target_family = "wasm")]
pub use crate::bindings::pytest_host::sinks::websocket::send;
pub use crate::bindings::pytest_host::sinks::websocket::{Error, Undelivered};
#[cfg(not(target_family = "wasm"))]
pub use crate::testing::send_messages as send;
use crate::{Refusal, http::authority_of};

/// How long to wait before another try; the host lets it grow.
const RETRY_AFTER: f64 = 1.0;

/// What becomes of events whose messages were not delivered. Trouble that may pass is worth another try.
#[must_use]
pub fn refusal(error: &Error) -> Refusal {
    let retry = |reason: String| Refusal::Retry((RETRY_AFTER, reason));
    match error {
        Error::Unreachable(why) => retry(format!("unreachable: {why}")),
        Error::Lost(why) => retry(format!("connection lost: {why}")),
        Error::Denied(what) => Refusal::Reject(format!("not granted: {what}")),
        Error::Invalid(why) => Refusal::Reject(format!("not a valid message: {why}")),
    }
}

/// The `scheme://host:port` of a URL.
///
/// # Errors
///
/// What is wrong with it, as a fragment that follows the setting's name and a colon.
pub fn authority(url: &str) -> Result<String, String> {
    authority_of(url, ["ws", "wss"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_trouble_is_retried() {
        let retried = |error| matches!(refusal(&error), Refusal::Retry(_));
        assert!(retried(Error::Unreachable("refused".into())));
        assert!(retried(Error::Lost("closed".into())));
        assert!(!retried(Error::Denied("ws://h".into())));
        assert!(!retried(Error::Invalid("large".into())));
    }

    #[test]
    fn needs_just_the_authority() {
        assert_eq!(authority("ws://h/p?q").unwrap(), "ws://h:80");
        assert_eq!(authority("wss://[::1]:8443").unwrap(), "wss://[::1]:8443");
        assert_eq!(
            authority("http://h").unwrap_err(),
            "expected ws:// or wss://"
        );
        assert_eq!(
            authority("ws://me@h").unwrap_err(),
            "a user name has no place here"
        );
    }
}
