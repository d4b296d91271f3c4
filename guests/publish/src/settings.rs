//! What `publish` is told, and whether it can be used.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Uri, uri::Scheme};
use pytest_host_sdk::{Misconfiguration, misconfigured};
use serde::Deserialize;

/// How many requests may be under way at once, at most.
const MAX_CONCURRENCY: u8 = 32;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where results are posted to.
    pub url: String,
    /// Sent with every request, on top of our own and instead of them where equal.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Seconds for one request.
    #[serde(default = "default_timeout")]
    pub timeout: f64,
    /// How many requests may be under way at once.
    #[serde(default = "default_concurrency")]
    pub concurrency: u8,
}

fn default_timeout() -> f64 {
    10.0
}

fn default_concurrency() -> u8 {
    MAX_CONCURRENCY
}

impl Settings {
    /// The `scheme://host:port` that requests go to.
    pub fn check(&self) -> Result<String, Misconfiguration> {
        if !(self.timeout > 0.0 && self.timeout.is_finite()) {
            return Err(misconfigured("timeout", "expected more than 0 seconds"));
        }
        if !(1..=MAX_CONCURRENCY).contains(&self.concurrency) {
            return Err(misconfigured(
                "concurrency",
                format!("expected 1 to {MAX_CONCURRENCY}"),
            ));
        }
        for (name, value) in &self.headers {
            let key = || format!("headers.{name}");
            HeaderName::try_from(name)
                .map_err(|_| misconfigured(&key(), "not a valid header name"))?;
            HeaderValue::try_from(value)
                .map_err(|_| misconfigured(&key(), "not a valid header value"))?;
        }
        authority(&self.url).map_err(|problem| misconfigured("url", problem))
    }
}

/// The `scheme://host:port` of a URL, or what is wrong with it.
fn authority(url: &str) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("not a valid URL: {error}"))?;
    let (scheme, default_port) = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => ("http", 80),
        Some(scheme) if *scheme == Scheme::HTTPS => ("https", 443),
        _ => return Err("expected http:// or https://".to_owned()),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("a user name has no place here; set the header Authorization".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    // `Uri` shows a port that is out of range as none.
    let port = match authority.strip_prefix(host).unwrap_or_default() {
        "" => default_port,
        given => {
            let number = given.trim_start_matches(':').parse::<u16>();
            number.map_err(|_| format!("{given} is not a port"))?
        }
    };
    Ok(format!("{scheme}://{}:{port}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<String, (String, String)> {
        let settings = pytest_host_sdk::parse_settings::<Settings>(json);
        let fault = |Misconfiguration { key, problem }| (key.unwrap_or_default(), problem);
        settings
            .and_then(|settings| settings.check())
            .map_err(fault)
    }

    fn url(url: &str) -> Result<String, String> {
        check(&format!(r#"{{"url": "{url}"}}"#)).map_err(|(key, problem)| {
            assert_eq!(key, "url");
            problem
        })
    }

    #[test]
    fn needs_just_the_authority() {
        assert_eq!(
            url("http://localhost:7777/test-update?x=1").unwrap(),
            "http://localhost:7777"
        );
        assert_eq!(url("http://Example.org").unwrap(), "http://example.org:80");
        assert_eq!(
            url("https://example.org/a").unwrap(),
            "https://example.org:443"
        );
        assert_eq!(url("http://[::1]:8080/").unwrap(), "http://[::1]:8080");
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        for (wrong, problem) in [
            ("localhost:7777/x", "not a valid URL"),
            ("http://", "not a valid URL"),
            ("http://h:99999/", ":99999 is not a port"),
            ("http://h/a b", "not a valid URL"),
            ("", "not a valid URL"),
            ("ftp://h/", "expected http:// or https://"),
            ("/path", "expected http:// or https://"),
            ("http://:80/", "it names no host"),
            ("http://me:secret@h/", "a user name has no place here"),
        ] {
            let said = url(wrong).expect_err(wrong);
            assert!(said.starts_with(problem), "{wrong}: {said}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_rest() {
        let fault = |rest| check(&format!(r#"{{"url": "http://h", {rest}}}"#)).unwrap_err();
        let at = |key: &str, problem: &str| (key.to_owned(), problem.to_owned());
        assert_eq!(
            fault(r#""timeout": 0"#),
            at("timeout", "expected more than 0 seconds")
        );
        assert_eq!(
            fault(r#""concurrency": 0"#),
            at("concurrency", "expected 1 to 32")
        );
        assert_eq!(
            fault(r#""concurrency": 33"#),
            at("concurrency", "expected 1 to 32")
        );
        assert_eq!(
            fault(r#""headers": {"a b": "c"}"#),
            at("headers.a b", "not a valid header name")
        );
        assert_eq!(
            fault(r#""headers": {"a": "\n"}"#),
            at("headers.a", "not a valid header value")
        );
        assert_eq!(
            fault(r#""header": {}"#),
            at("header", "unknown setting; did you mean \"headers\"?")
        );
    }
}
