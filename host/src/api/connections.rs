//! Connections: how many there may be, and how long they may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::{Api, Peer};

/// What all connections together, and each of them, may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// At once; whoever comes then waits to be taken.
    pub connections: usize,
    /// For a request's head to arrive, the first and any later one: so an idle
    /// connection is closed after it.
    pub head: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    pub headers: usize,
    /// For what is under way when the host ends.
    pub ending: Duration,
}

impl Bounds {
    /// As they are documented, with `head` for a request's head.
    #[must_use]
    pub fn within(head: Duration) -> Self {
        Self {
            connections: 1024,
            head,
            head_bytes: 64 << 10,
            headers: 100,
            ending: Duration::from_secs(5),
        }
    }
}

/// Serves until `end` comes, and then what is under way.
pub async fn serve(api: Api, listener: TcpListener, bounds: Bounds, end: impl Future<Output = ()>) {
    let router = api.router();
    let builder = builder(bounds);
    let places = Arc::new(Semaphore::new(bounds.connections));
    let (ending, under_way) = (CancellationToken::new(), TaskTracker::new());
    let mut end = std::pin::pin!(end);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.map_err(io::Error::other)?;
            let (stream, peer) = listener.accept().await?;
            Ok::<_, io::Error>((place, stream, peer))
        };
        let (place, stream, peer) = tokio::select! {
            () = &mut end => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Such as no more files: it may pass.
                    tracing::warn!("a connection cannot be taken: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        super::socket::notice_the_dead(&stream);
        let router = router
            .clone()
            .map_request(move |request: Request<Incoming>| {
                let mut request = request.map(axum::body::Body::new);
                request.extensions_mut().insert(Peer(peer));
                request
            });
        let service = TowerToHyperService::new(router);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = connection.with_upgrades();
        let connections = api.0.metrics.connections.clone();
        connections.inc();
        let ending = ending.clone();
        under_way.spawn(async move {
            if let Err(error) = attend(connection, ending).await {
                tracing::debug!(%peer, "a connection ended: {error}");
            }
            connections.dec();
            drop(place);
        });
    }
    drop(listener);
    api.0.sockets.end();
    ending.cancel();
    under_way.close();
    let _ = tokio::time::timeout(bounds.ending, under_way.wait()).await;
}

/// One request after another; the one that is under way is the last once `ending` is said.
async fn attend<S>(
    connection: UpgradeableConnection<TokioIo<TcpStream>, S>,
    ending: CancellationToken,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = axum::body::Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended,
        () = ending.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// One version of the protocol alone: browsers speak another only where there is TLS.
fn builder(bounds: Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_headers(bounds.headers)
        .max_buf_size(bounds.head_bytes);
    builder
}
