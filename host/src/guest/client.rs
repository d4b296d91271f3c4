//! The pooled HTTP client behind the contract's `http` and behind `wasi:http`.
//!
//! One pool a sink: a connection belongs to the runtime that opened it, and each
//! sink has a current-thread runtime of its own. It belongs to the sink's grants as
//! well: it is used again for the scheme, host and port that it was made for, which
//! the same grants cover.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::divert;
use super::grants::Grants;
use super::proxy::ProxyConnector;
use super::resolver::AddressDenied;
use super::trust;

/// Any error of a body that is being sent.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request on its way out.
pub type OutgoingBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests; a clone shares the pool.
#[derive(Clone, Debug)]
pub struct HttpClient {
    inner: Client<HttpsConnector<ProxyConnector>, OutgoingBody>,
    connector: ProxyConnector,
    diverted: Option<SocketAddr>,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Its host is at addresses that are not granted.
    #[error("{0}")]
    Denied(AddressDenied),
    /// The innermost cause.
    #[error("{0}")]
    Failed(String),
}

impl HttpClient {
    /// A client with an empty pool that connects within `grants`. It trusts the
    /// machine's certificate authorities, or those of `SSL_CERT_FILE`, and takes the
    /// proxies that the environment names.
    #[must_use]
    pub fn within(grants: Arc<Grants>) -> Self {
        match grants.diverted {
            None => Self::with_proxies(grants, Matcher::from_env()),
            Some(to) => Self {
                diverted: Some(to),
                ..Self::with_proxies(divert::grants(to), Matcher::builder().build())
            },
        }
    }

    fn with_proxies(grants: Arc<Grants>, proxies: Matcher) -> Self {
        let connector = ProxyConnector::new(grants, proxies);
        let secured = HttpsConnectorBuilder::new()
            .with_tls_config(trust::config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector.clone());
        let inner = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(secured);
        Self {
            inner,
            connector,
            diverted: None,
        }
    }

    /// Sends one request and returns the head of its response.
    ///
    /// # Errors
    ///
    /// Where the peer cannot be reached, may not be at the addresses where it is, or
    /// breaks off before it answered.
    pub async fn send(
        &self,
        mut request: http::Request<OutgoingBody>,
    ) -> Result<http::Response<Incoming>, SendError> {
        if let Some(to) = self.diverted {
            divert::request(&mut request, to);
        }
        if let Some(authorization) = self.connector.authorization(request.uri()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization);
        }
        self.inner
            .request(request)
            .await
            .map_err(|error| innermost(&error))
    }
}

/// The last cause of an error: hyper's own texts end where it gets interesting.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> SendError {
    let mut last = error;
    while let Some(source) = inner(last) {
        last = source;
    }
    match last.downcast_ref() {
        Some(denied) => SendError::Denied(AddressDenied::clone(denied)),
        None => SendError::Failed(last.to_string()),
    }
}

/// An I/O error passes its own cause over and tells of the next one.
fn inner<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Empty};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers one request with `answer`; returns the request's head.
    async fn serve_one(listener: TcpListener, answer: &[u8]) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(head).unwrap()
    }

    fn client(grants: &[&str], proxies: Matcher) -> HttpClient {
        let grants = Grants {
            http: grants.iter().map(|text| text.parse().unwrap()).collect(),
            ..Grants::default()
        };
        HttpClient::with_proxies(Arc::new(grants), proxies)
    }

    async fn get(client: &HttpClient, url: &str) -> Result<u16, SendError> {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::get(url).body(body).unwrap();
        client
            .send(request)
            .await
            .map(|response| response.status().as_u16())
    }

    #[tokio::test]
    async fn a_proxy_gets_the_whole_url_and_who_asks() {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://user:pw@{}", proxy.local_addr().unwrap());
        let client = client(
            &["http://*.example", "https://*.example"],
            Matcher::builder().http(url).build(),
        );
        let (head, status) = tokio::join!(
            serve_one(proxy, b"HTTP/1.1 204 No Content\r\n\r\n"),
            get(&client, "http://results.example/a?b")
        );
        assert_eq!(status.unwrap(), 204);
        assert!(
            head.starts_with("GET http://results.example/a?b HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("proxy-authorization: Basic dXNlcjpwdw==\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn https_is_tunnelled() {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", proxy.local_addr().unwrap());
        let client = client(
            &["http://*.example", "https://*.example"],
            Matcher::builder().https(url).build(),
        );
        let (head, status) = tokio::join!(
            serve_one(proxy, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            get(&client, "https://results.example/")
        );
        assert!(status.is_err());
        assert!(
            head.starts_with("CONNECT results.example:443 HTTP/1.1\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn what_no_proxy_names_is_reached_directly() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = format!("http://{}", server.local_addr().unwrap());
        let url = format!("{authority}/x");
        let proxies = Matcher::builder()
            .all("http://127.0.0.1:1")
            .no("127.0.0.1")
            .build();
        let client = client(&[&authority], proxies);
        let (head, status) = tokio::join!(
            serve_one(server, b"HTTP/1.1 200 OK\r\n\r\n"),
            get(&client, &url)
        );
        assert_eq!(status.unwrap(), 200);
        assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
    }

    #[tokio::test]
    async fn why_nothing_answers_is_told_by_its_last_cause() {
        let client = client(&["http://127.0.0.1:1"], Matcher::builder().build());
        let error = get(&client, "http://127.0.0.1:1/").await.unwrap_err();
        assert!(
            error.to_string().starts_with("Connection refused"),
            "{error}"
        );
    }

    #[test]
    fn a_denial_is_told_from_what_failed() {
        let denied = AddressDenied::NotGranted("http://h/".into());
        // As it arrives: in the errors of whoever resolves, connects and sends.
        let wrapped = BoxError::from(std::io::Error::other(denied));
        assert!(matches!(innermost(&*wrapped), SendError::Denied(_)));
        let failed = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(matches!(innermost(&failed), SendError::Failed(_)));
    }

    #[tokio::test]
    async fn what_is_not_granted_is_not_connected_to() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let client = client(&["http://127.0.0.1:1"], Matcher::builder().build());
        let refused = get(&client, &url).await;
        assert!(matches!(refused, Err(SendError::Denied(_))), "{refused:?}");
    }
}
