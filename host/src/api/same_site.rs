//! Against web pages of others that a user's browser has open: they can send requests
//! here, and with DNS rebinding read the answers.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::CorsLayer;

use super::{Api, Problem};

/// What this host may be called, and which pages of others may use it.
pub struct Names {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Names {
    pub fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        let trimmed = |text: String| text.trim_end_matches('/').to_ascii_lowercase();
        Self {
            hosts: hosts.into_iter().map(trimmed).collect(),
            origins: origins.into_iter().map(trimmed).collect(),
        }
    }

    /// What browsers ask for before they let a page of others do anything.
    pub fn cross_origin(&self) -> CorsLayer {
        let origins = self.origins.iter();
        let origins = origins.filter_map(|origin| HeaderValue::from_str(origin).ok());
        CorsLayer::new()
            .allow_origin(origins.collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::RANGE])
    }

    /// # Errors
    ///
    /// Why the request is not to be served.
    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
        let host = single(headers, "host")?.unwrap_or_default();
        let host = host.to_ascii_lowercase();
        if !self.knows(&host) {
            return Err(format!(
                "This host does not go by {host:?}: the key serve.hosts has its names"
            ));
        }
        if uri.authority().is_some() {
            return Err("This is no proxy".into());
        }
        let Some(origin) = single(headers, "origin")? else {
            // Without an origin a browser says at least this.
            return match single(headers, "sec-fetch-site")? {
                Some("cross-site" | "same-site") => {
                    Err("Pages of other sites may not use this host".into())
                }
                _ => Ok(()),
            };
        };
        let origin = origin.to_ascii_lowercase();
        let own = [format!("http://{host}"), format!("https://{host}")];
        if own.contains(&origin) || self.origins.contains(&origin) {
            return Ok(());
        }
        Err(format!(
            "Pages of {origin:?} may not use this host: the key serve.origins has those that may"
        ))
    }

    /// An address is no name that somebody else could let lead here.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let address = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(name);
        address.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || self
                .hosts
                .iter()
                .any(|known| known == name || known == host)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(Some)
            .map_err(|_| format!("The header {name} cannot be read")),
        (Some(_), Some(_)) => Err(format!("The header {name} is there twice")),
    }
}

/// Lets requests through that are not from a page of others.
pub async fn required(State(api): State<Api>, request: Request, next: Next) -> Response {
    match api.0.names.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => Problem::new(StatusCode::FORBIDDEN, why).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Result<(), String> {
        let names = Names::new(
            vec!["CI.example.org".into()],
            vec!["https://dashboard.example.org/".into()],
        );
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        names.check(&Uri::from_static("/api/jobs"), &map)
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        for host in [
            "127.0.0.1:8000",
            "[::1]:8000",
            "10.0.0.7",
            "localhost:1",
            "LOCALHOST",
            "ci.example.org:8000",
        ] {
            assert_eq!(asked(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "[::1",
            "",
        ] {
            assert!(asked(&[("host", host)]).is_err(), "{host}");
        }
        assert!(asked(&[]).is_err());
        assert!(asked(&[("host", "localhost"), ("host", "localhost")]).is_err());
    }

    #[test]
    fn a_page_of_others_is_refused() {
        let from = |origin: &str| asked(&[("host", "127.0.0.1:8000"), ("origin", origin)]);
        assert_eq!(from("http://127.0.0.1:8000"), Ok(()));
        assert_eq!(from("https://dashboard.example.org"), Ok(()));
        for origin in ["null", "http://127.0.0.1:9000", "http://evil.example.org"] {
            assert!(from(origin).is_err(), "{origin}");
        }
        let site = |site: &str| asked(&[("host", "localhost"), ("sec-fetch-site", site)]);
        assert_eq!(site("same-origin"), Ok(()));
        assert_eq!(site("none"), Ok(()));
        assert!(site("cross-site").is_err());
    }
}
