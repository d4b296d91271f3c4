//! The pooled HTTP client behind the contract's `http` and behind `wasi:http`.
//!
//! One pool a sink: a connection belongs to the runtime that opened it, and each
//! sink has a current-thread runtime of its own.

use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::proxy::ProxyConnector;
use super::trust;

/// Any error of a body that is being sent.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request on its way out.
pub type OutgoingBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long to try to reach an address.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests; a clone shares the pool.
#[derive(Clone, Debug)]
pub struct HttpClient {
    inner: Client<HttpsConnector<ProxyConnector>, OutgoingBody>,
    connector: ProxyConnector,
}

/// Why a request got no response: the innermost cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SendError(String);

impl HttpClient {
    /// A client with an empty pool, which trusts the machine's certificate
    /// authorities, or those of `SSL_CERT_FILE`, and takes the proxies that the
    /// environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::with_proxies(Matcher::from_env())
    }

    fn with_proxies(proxies: Matcher) -> Self {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        // Small posts, one after another: without it each waits for an acknowledgement.
        direct.set_nodelay(true);
        direct.set_connect_timeout(Some(CONNECT));
        let connector = ProxyConnector::new(direct, proxies);
        let secured = HttpsConnectorBuilder::new()
            .with_tls_config(trust::config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector.clone());
        let inner = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(secured);
        Self { inner, connector }
    }

    /// Sends one request and returns the head of its response.
    ///
    /// # Errors
    ///
    /// Where the peer cannot be reached or breaks off before it answered.
    pub async fn send(
        &self,
        mut request: http::Request<OutgoingBody>,
    ) -> Result<http::Response<Incoming>, SendError> {
        if let Some(authorization) = self.connector.authorization(request.uri()) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, authorization);
        }
        self.inner
            .request(request)
            .await
            .map_err(|error| SendError(innermost(&error)))
    }
}

/// The last cause of an error: hyper's own texts end where it gets interesting.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
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
        let client = HttpClient::with_proxies(Matcher::builder().http(url).build());
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
        let client = HttpClient::with_proxies(Matcher::builder().https(url).build());
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
        let url = format!("http://{}/x", server.local_addr().unwrap());
        let proxies = Matcher::builder()
            .all("http://127.0.0.1:1")
            .no("127.0.0.1")
            .build();
        let client = HttpClient::with_proxies(proxies);
        let (head, status) = tokio::join!(
            serve_one(server, b"HTTP/1.1 200 OK\r\n\r\n"),
            get(&client, &url)
        );
        assert_eq!(status.unwrap(), 200);
        assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
    }

    #[tokio::test]
    async fn why_nothing_answers_is_told_by_its_last_cause() {
        let client = HttpClient::with_proxies(Matcher::builder().build());
        let error = get(&client, "http://127.0.0.1:1/").await.unwrap_err();
        assert!(
            error.to_string().starts_with("Connection refused"),
            "{error}"
        );
    }
}
