//! HTTP requests, sent by the host through its pooled client, and what an answer means for an event.

mod client;
mod endpoint;

use std::time::{Duration, SystemTime};

use crate::Refusal;
#[cfg(target_family = "wasm")]
pub use crate::bindings::pytest_host::sinks::http::send;
pub use crate::bindings::pytest_host::sinks::http::{Error, Request, Response};
#[cfg(not(target_family = "wasm"))]
pub use crate::testing::send;
pub use client::{Client, Post};
pub(crate) use endpoint::authority_of;
pub use endpoint::{Endpoint, MAX_CONCURRENCY, authority, default_concurrency, default_timeout};

/// How long to wait where the server does not say; the host lets it grow.
const RETRY_AFTER: f64 = 1.0;

/// A POST of JSON to `url`.
pub fn post_json(url: &str, json: Vec<u8>) -> Request {
    Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: json,
        key: None,
        timeout: None,
    }
}

/// Whether an answer leaves the event undone, and why.
///
/// Trouble that may pass is worth another try; what the server will say again, or the host, is not.
pub fn refusal(answer: &Result<Response, Error>) -> Option<Refusal> {
    let retry = |reason: String| Some(Refusal::Retry((RETRY_AFTER, reason)));
    let reject = |reason: String| Some(Refusal::Reject(reason));
    match answer {
        Ok(response) => match response.status {
            200..=299 => None,
            408 | 425 | 429 | 500..=599 => Some(Refusal::Retry((
                retry_after(response, SystemTime::now()).unwrap_or(RETRY_AFTER),
                format!("answered {}", response.status),
            ))),
            300..=399 => match header(response, "location") {
                Some(target) => reject(format!("redirected to {target}; set the URL to it")),
                None => reject(format!(
                    "answered {}, a redirect to nowhere",
                    response.status
                )),
            },
            status => reject(format!("answered {status}{}", excerpt(&response.body))),
        },
        Err(Error::Unreachable(reason)) => retry(format!("unreachable: {reason}")),
        Err(Error::TimedOut) => retry("timed out".to_owned()),
        Err(Error::Denied(what)) => reject(format!("not granted: {what}")),
        Err(Error::TooLarge(size)) => reject(format!("too large: {size} bytes")),
        Err(Error::Invalid(reason)) => reject(format!("not a valid request: {reason}")),
    }
}

/// Seconds until the server wants to be asked again: `Retry-After` as a number or as a date.
fn retry_after(response: &Response, now: SystemTime) -> Option<f64> {
    let value = header(response, "retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(f64::from(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    // The server's own clock, where it shows it: the two need not agree.
    let now = header(response, "date")
        .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
        .unwrap_or(now);
    Some(
        until
            .duration_since(now)
            .unwrap_or(Duration::ZERO)
            .as_secs_f64(),
    )
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response
        .headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// The start of what the server said, for people.
fn excerpt(body: &[u8]) -> String {
    const CHARACTERS: usize = 200;
    let text: String = String::from_utf8_lossy(body)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    match text.char_indices().nth(CHARACTERS) {
        _ if text.is_empty() => String::new(),
        Some((end, _)) => format!(": {}…", text.split_at(end).0),
        None => format!(": {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        Response {
            status,
            headers,
            body: vec![],
        }
    }

    #[test]
    fn success_is_done() {
        assert_eq!(refusal(&Ok(answer(200, &[]))), None);
        assert_eq!(refusal(&Ok(answer(204, &[]))), None);
    }

    #[test]
    fn passing_trouble_is_retried() {
        for status in [408, 425, 429, 500, 502, 599] {
            let expected = Refusal::Retry((1.0, format!("answered {status}")));
            assert_eq!(refusal(&Ok(answer(status, &[]))), Some(expected));
        }
        assert_eq!(
            refusal(&Err(Error::Unreachable("refused".into()))),
            Some(Refusal::Retry((1.0, "unreachable: refused".into())))
        );
        assert_eq!(
            refusal(&Err(Error::TimedOut)),
            Some(Refusal::Retry((1.0, "timed out".into())))
        );
    }

    #[test]
    fn lasting_trouble_is_rejected() {
        let mut gone = answer(410, &[]);
        gone.body = b"no  such\nsuite".to_vec();
        assert_eq!(
            refusal(&Ok(gone)),
            Some(Refusal::Reject("answered 410: no such suite".into()))
        );
        assert_eq!(
            refusal(&Ok(answer(302, &[("Location", "http://b/")]))),
            Some(Refusal::Reject(
                "redirected to http://b/; set the URL to it".into()
            ))
        );
        assert_eq!(
            refusal(&Err(Error::Denied("http://b:80".into()))),
            Some(Refusal::Reject("not granted: http://b:80".into()))
        );
    }

    #[test]
    fn the_server_says_when() {
        let refused = refusal(&Ok(answer(503, &[("Retry-After", "17")])));
        assert_eq!(refused, Some(Refusal::Retry((17.0, "answered 503".into()))));
    }

    #[test]
    fn a_date_counts_by_the_servers_clock() {
        let response = answer(
            503,
            &[
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
        );
        assert_eq!(retry_after(&response, SystemTime::now()), Some(30.0));
    }

    #[test]
    fn a_date_in_the_past_is_now() {
        let response = answer(503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(retry_after(&response, SystemTime::now()), Some(0.0));
    }

    #[test]
    fn nonsense_is_as_if_nothing_was_said() {
        assert_eq!(
            retry_after(&answer(503, &[("retry-after", "soon")]), SystemTime::now()),
            None
        );
    }

    #[test]
    fn a_long_answer_is_cut_between_characters() {
        let text = "é".repeat(300);
        assert_eq!(excerpt(text.as_bytes()), format!(": {}…", "é".repeat(200)));
    }
}
