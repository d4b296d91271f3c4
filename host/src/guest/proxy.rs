//! Connections by way of the proxies that the environment names, as curl reads it:
//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::client::BoxError;
use super::grants::Grants;
use super::resolver::CheckedResolver;

/// How long to try to reach an address.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects to where a request goes, or to the proxy in between.
#[derive(Clone, Debug)]
pub struct ProxyConnector {
    grants: Arc<Grants>,
    /// The user's own choice, so they may be anywhere.
    to_proxies: HttpConnector,
    proxies: Arc<Matcher>,
}

impl ProxyConnector {
    #[must_use]
    pub fn new(grants: Arc<Grants>, proxies: Matcher) -> Self {
        Self {
            grants,
            to_proxies: connector(GaiResolver::new()),
            proxies: Arc::new(proxies),
        }
    }

    /// A connection to where a WebSocket is, or through the proxy for its host: none of
    /// those knows WebSockets, so it is a tunnel whether secured or not.
    ///
    /// # Errors
    ///
    /// Where `destination` is not granted, or cannot be reached.
    pub async fn tunnel(&self, destination: Uri, like: Uri) -> Result<TcpStream, BoxError> {
        let Some(proxy) = self.proxies.intercept(&like) else {
            let checked = CheckedResolver::new(&self.grants, &destination)?;
            return Ok(connector(checked).call(destination).await?.into_inner());
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxies.clone());
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Ok(tunnel.call(like).await?.into_inner())
    }

    /// What a request to `uri` has to tell the proxy about who asks. Inside a
    /// tunnel the proxy sees no request, and `connect` has told it before.
    #[must_use]
    pub fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        if uri.scheme_str() == Some("https") {
            return None;
        }
        self.proxies.intercept(uri)?.basic_auth().cloned()
    }
}

impl Service<Uri> for ProxyConnector {
    type Response = Route;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Route, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.to_proxies.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.intercept(&destination) else {
            let checked = CheckedResolver::new(&self.grants, &destination);
            return Box::pin(async {
                let connecting = connector(checked?).call(destination);
                Ok(Route::new(connecting.await?, false))
            });
        };
        if destination.scheme_str() == Some("https") {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxies.clone());
            if let Some(authorization) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            return Box::pin(async move { Ok(Route::new(tunnel.call(destination).await?, false)) });
        }
        let connecting = self.to_proxies.call(proxy.uri().clone());
        Box::pin(async { Ok(Route::new(connecting.await?, true)) })
    }
}

/// A connector for `http` and what `https` is made of.
fn connector<R>(resolver: R) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    // Small posts, one after another: without it each waits for an acknowledgement.
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector
}

/// A connection, and whether a proxy reads the requests on it: those name the
/// whole URL.
#[derive(Debug)]
pub struct Route {
    stream: TokioIo<TcpStream>,
    proxied: bool,
}

impl Route {
    fn new(stream: TokioIo<TcpStream>, proxied: bool) -> Self {
        Self { stream, proxied }
    }
}

impl Connection for Route {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.proxied)
    }
}

impl Read for Route {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Route {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
