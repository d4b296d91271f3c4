//! One URL that a sink posts to, as its settings say.

use std::collections::BTreeMap;

use ::http::{HeaderName, HeaderValue, Uri};

use super::{Error, Request, Response, post_json, refusal};
use crate::{Misconfiguration, delivery::Tried, misconfigured};

/// How many requests may be under way at once, at most.
pub const MAX_CONCURRENCY: u8 = 32;

/// The setting `timeout` where it is not given, for serde.
pub fn default_timeout() -> f64 {
    10.0
}

/// The setting `concurrency` where it is not given, for serde.
pub fn default_concurrency() -> u8 {
    MAX_CONCURRENCY
}

/// The settings of the same names.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub url: String,
    /// Sent with every request, on top of our own and instead of them where equal.
    pub headers: BTreeMap<String, String>,
    /// Seconds for one request.
    pub timeout: f64,
    /// How many requests may be under way at once.
    pub concurrency: u8,
}

impl Endpoint {
    /// The `scheme://host:port` that requests go to, or which setting cannot be used.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
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
            let name = HeaderName::try_from(name)
                .map_err(|_| misconfigured(&key(), "not a valid header name"))?;
            if is_of_the_host(&name) {
                return Err(misconfigured(&key(), "not for sinks to set"));
            }
            HeaderValue::try_from(value)
                .map_err(|_| misconfigured(&key(), "not a valid header value"))?;
        }
        authority(&self.url).map_err(|problem| misconfigured("url", problem))
    }

    /// A POST of JSON. Requests with equal `idempotency_key` are one message, sent again.
    pub fn post(&self, json: Vec<u8>, idempotency_key: String) -> Request {
        let mut request = post_json(&self.url, json);
        request.timeout = Some(self.timeout);
        request.headers.extend([
            ("idempotency-key".to_owned(), idempotency_key),
            (
                "user-agent".to_owned(),
                concat!("pytest-host/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
        ]);
        for (name, value) in &self.headers {
            request
                .headers
                .retain(|(ours, _)| !ours.eq_ignore_ascii_case(name));
            request.headers.push((name.clone(), value.clone()));
        }
        request
    }

    /// What the answers to requests that were sent together mean.
    pub fn tried(&self, answers: &[Result<Response, Error>]) -> Tried {
        let refusals = answers.iter().map(refusal).collect();
        let gone = |answer: &_| matches!(answer, Err(Error::Unreachable(_) | Error::TimedOut));
        // An endpoint that is gone must not cost one timeout after another.
        if answers.len() >= usize::from(self.concurrency) && answers.iter().all(gone) {
            Tried::Stop(refusals)
        } else {
            Tried::Each(refusals)
        }
    }
}

/// Whether a header says where a request goes or how it is carried: the host refuses those.
fn is_of_the_host(name: &HeaderName) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

/// The `scheme://host:port` of a URL.
///
/// # Errors
///
/// What is wrong with it, as a fragment that follows the setting's name and a colon.
pub fn authority(url: &str) -> Result<String, String> {
    authority_of(url, ["http", "https"])
}

/// Likewise, of a URL with one of two schemes, the second of which is that of connections that are secured.
pub(crate) fn authority_of(url: &str, [plain, secured]: [&str; 2]) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("not a valid URL: {error}"))?;
    let (scheme, default_port) = match uri.scheme_str() {
        Some(scheme) if scheme == plain => (plain, 80),
        Some(scheme) if scheme == secured => (secured, 443),
        _ => return Err(format!("expected {plain}:// or {secured}://")),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let remedy = if plain == "http" {
            "; set the header Authorization"
        } else {
            ""
        };
        return Err(format!("a user name has no place here{remedy}"));
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

    fn endpoint(url: &str) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            headers: BTreeMap::new(),
            timeout: default_timeout(),
            concurrency: default_concurrency(),
        }
    }

    fn url(url: &str) -> Result<String, String> {
        endpoint(url).check().map_err(|fault| {
            assert_eq!(fault.key.as_deref(), Some("url"));
            fault.problem
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
        let fault = |change: fn(&mut Endpoint)| {
            let mut endpoint = endpoint("http://h");
            change(&mut endpoint);
            let fault = endpoint.check().unwrap_err();
            (fault.key.unwrap_or_default(), fault.problem)
        };
        let at = |key: &str, problem: &str| (key.to_owned(), problem.to_owned());
        let seconds = at("timeout", "expected more than 0 seconds");
        assert_eq!(fault(|endpoint| endpoint.timeout = 0.0), seconds);
        assert_eq!(fault(|endpoint| endpoint.timeout = f64::NAN), seconds);
        let number = at("concurrency", "expected 1 to 32");
        assert_eq!(fault(|endpoint| endpoint.concurrency = 0), number);
        assert_eq!(fault(|endpoint| endpoint.concurrency = 33), number);
        assert_eq!(
            fault(|endpoint| endpoint.headers = [("a b".into(), "c".into())].into()),
            at("headers.a b", "not a valid header name")
        );
        for name in ["Host", "Content-Length", "Proxy-Authorization"] {
            let mut endpoint = endpoint("http://h");
            endpoint.headers = [(name.into(), "c".into())].into();
            let fault = endpoint.check().unwrap_err();
            assert_eq!(fault.problem, "not for sinks to set", "{name}");
        }
        assert_eq!(
            fault(|endpoint| endpoint.headers = [("a".into(), "\n".into())].into()),
            at("headers.a", "not a valid header value")
        );
    }

    #[test]
    fn headers_of_the_user_replace_ours() {
        let mut endpoint = endpoint("http://h/u?x=1");
        endpoint.timeout = 3.0;
        endpoint.headers = [
            ("Authorization".into(), "Bearer x".into()),
            ("User-Agent".into(), "mine".into()),
        ]
        .into();
        let request = endpoint.post(b"{}".to_vec(), "run-1".into());
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "http://h/u?x=1")
        );
        assert_eq!(request.timeout, Some(3.0));
        let headers = request.headers.iter();
        let headers: Vec<_> = headers.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("content-type", "application/json"),
                ("idempotency-key", "run-1"),
                ("Authorization", "Bearer x"),
                ("User-Agent", "mine")
            ]
        );
    }

    #[test]
    fn an_endpoint_that_is_gone_stops_the_batch() {
        let gone = || Err(Error::Unreachable("refused".into()));
        let busy = || {
            Ok(Response {
                status: 503,
                headers: vec![],
                body: vec![],
            })
        };
        let mut endpoint = endpoint("http://h");
        endpoint.concurrency = 2;
        let stops = |answers: Vec<_>| matches!(endpoint.tried(&answers), Tried::Stop(_));
        assert!(stops(vec![gone(), Err(Error::TimedOut)]));
        // It answers, if badly.
        assert!(!stops(vec![gone(), busy()]));
        // Fewer than could be tried: nothing is left to be spared.
        assert!(!stops(vec![gone()]));
    }
}
