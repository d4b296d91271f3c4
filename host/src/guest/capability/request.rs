//! Requests as a guest may make them: to the URL that was checked, and with nothing
//! in them that is the connection's.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt as _, Full};
use url::Url;

use crate::guest::client::OutgoingBody;

/// Headers that say how a message is carried, not what it is.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a request is not sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    #[error("the method {0:?} is not for sinks")]
    Method(String),
    #[error("a user name has no place in a URL; set the header Authorization")]
    User,
    #[error("{0:?} is not a URL that can be sent")]
    Url(String),
    #[error("the header {0} is the host's to set")]
    Header(HeaderName),
    #[error("the header host is {found:?}, but the URL's is {expected}")]
    Host {
        found: HeaderValue,
        expected: String,
    },
    #[error("the header content-length is {found:?}, but the body has {expected} bytes")]
    Length { found: HeaderValue, expected: usize },
    #[error("{0}")]
    Malformed(String),
}

/// Whether only the host may set `name`.
#[must_use]
pub fn is_of_the_connection(name: &HeaderName) -> bool {
    OF_THE_CONNECTION.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

/// # Errors
///
/// For `CONNECT`, which asks for a connection to anywhere, in whatever case.
pub fn check_method(method: &Method) -> Result<(), BadRequest> {
    if method.as_str().eq_ignore_ascii_case("CONNECT") {
        return Err(BadRequest::Method(method.to_string()));
    }
    Ok(())
}

/// The address to send to, made from the URL that the grants were asked about: what
/// was checked is what is sent, whatever a guest has written.
///
/// # Errors
///
/// For a URL with a user name, and one that HTTP cannot express.
pub fn target(url: &Url) -> Result<http::Uri, BadRequest> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadRequest::User);
    }
    url.as_str()
        .parse()
        .map_err(|_| BadRequest::Url(url.to_string()))
}

/// A request with a body that is there as a whole.
///
/// # Errors
///
/// For whatever could reach another host than the URL's, or be read as two requests.
pub fn build(
    method: &str,
    url: &Url,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Result<http::Request<OutgoingBody>, BadRequest> {
    let mut builder = http::Request::builder().method(method).uri(target(url)?);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let length = body.len();
    let body = Full::new(Bytes::from(body))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut request = builder
        .body(body)
        .map_err(|error| BadRequest::Malformed(error.to_string()))?;
    check_method(request.method())?;
    check_headers(request.headers_mut(), url, length)?;
    Ok(request)
}

/// Takes out those headers that say what is so anyway.
fn check_headers(headers: &mut HeaderMap, url: &Url, length: usize) -> Result<(), BadRequest> {
    if let Some(name) = headers.keys().find(|name| is_of_the_connection(name)) {
        return Err(BadRequest::Header(name.clone()));
    }
    let host = host_of(url);
    for found in headers.get_all(HOST) {
        if !found.as_bytes().eq_ignore_ascii_case(host.as_bytes()) {
            let found = found.clone();
            return Err(BadRequest::Host {
                found,
                expected: host,
            });
        }
    }
    for found in headers.get_all(CONTENT_LENGTH) {
        if found.as_bytes() != length.to_string().as_bytes() {
            let found = found.clone();
            return Err(BadRequest::Length {
                found,
                expected: length,
            });
        }
    }
    headers.remove(HOST);
    headers.remove(CONTENT_LENGTH);
    Ok(())
}

/// As the header `Host` has it.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<HeaderMap, String> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        build(
            method,
            &Url::parse(url).unwrap(),
            &headers,
            b"body".to_vec(),
        )
        .map(|request| request.headers().clone())
        .map_err(|error| error.to_string())
    }

    fn with(name: &str, value: &str) -> Result<HeaderMap, String> {
        built("POST", "http://h:81/a", &[(name, value)])
    }

    #[test]
    fn headers_of_the_connection_are_refused() {
        for name in [
            "Connection",
            "Expect",
            "HTTP2-Settings",
            "Keep-Alive",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
        ] {
            assert_eq!(
                with(name, "x").unwrap_err(),
                format!("the header {} is the host's to set", name.to_lowercase())
            );
        }
        assert_eq!(with("x-proxy", "y").unwrap().len(), 1);
    }

    #[test]
    fn a_request_goes_to_the_host_of_its_url() {
        assert!(with("Host", "H:81").unwrap().is_empty());
        assert_eq!(
            with("Host", "other").unwrap_err(),
            "the header host is \"other\", but the URL's is h:81"
        );
        let twice = built("GET", "http://h/", &[("host", "h"), ("host", "other")]);
        assert!(twice.is_err());
    }

    #[test]
    fn a_body_is_as_long_as_it_is() {
        assert!(with("Content-Length", "4").unwrap().is_empty());
        for other in ["0", "5", "+4", "04", "4, 4", ""] {
            assert!(with("content-length", other).is_err(), "{other}");
        }
    }

    #[test]
    fn no_request_is_two() {
        for (name, value) in [
            ("x", "a\r\nHost: other"),
            ("x", "a\nb"),
            ("x", "a\rb"),
            ("x", "a\0b"),
            ("x\r\nHost: other", "a"),
            ("x: a", "b"),
            ("x ", "b"),
            ("", "b"),
        ] {
            assert!(with(name, value).is_err(), "{name:?}: {value:?}");
        }
        for method in ["GET / HTTP/1.1\r\nHost: other\r\n\r\nGET", "", "G ET"] {
            assert!(built(method, "http://h/", &[]).is_err(), "{method:?}");
        }
        let url = Url::parse("http://h/a\r\n b?c d\u{e9}#f").unwrap();
        assert_eq!(target(&url).unwrap(), "http://h/a%20b?c%20d%C3%A9");
    }

    #[test]
    fn connect_is_not_for_sinks() {
        assert!(built("CONNECT", "http://h/", &[]).is_err());
        assert!(built("connect", "http://h/", &[]).is_err());
        assert!(built("PATCH", "http://h/", &[]).is_ok());
    }

    #[test]
    fn a_user_name_is_refused() {
        assert!(built("GET", "http://me@h/", &[]).is_err());
        assert!(built("GET", "http://:pw@h/", &[]).is_err());
    }
}
