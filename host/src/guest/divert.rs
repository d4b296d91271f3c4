//! Sends everything to one place on this machine, with word of where it was to go.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Uri;
use url::Url;

use super::grants::{Grants, HttpGrant};

/// The name of the part of the query that says where a request was to go.
pub const URL: &str = "url";

/// What reaches that place, and nothing else.
#[must_use]
pub fn grants(to: SocketAddr) -> Arc<Grants> {
    let grants = ["http", "ws"].map(|scheme| format!("{scheme}://{to}").parse::<HttpGrant>());
    Arc::new(Grants {
        http: grants.into_iter().flatten().collect(),
        ..Grants::default()
    })
}

/// Sends a request there.
pub fn request<B>(request: &mut http::Request<B>, to: SocketAddr) {
    let there = address("http", to, &request.uri().to_string());
    if let Some(uri) = there.and_then(|url| url.as_str().parse::<Uri>().ok()) {
        *request.uri_mut() = uri;
    }
}

/// Where to connect to for `url`.
#[must_use]
pub fn websocket(url: &Url, to: Option<SocketAddr>) -> Url {
    to.and_then(|to| address("ws", to, url.as_str()))
        .unwrap_or_else(|| url.clone())
}

fn address(scheme: &str, to: SocketAddr, original: &str) -> Option<Url> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair(URL, original)
        .finish();
    Url::parse(&format!("{scheme}://{to}/?{query}")).ok()
}
