//! The HTTP API of `host serve`: `docs/api.md`.

mod access;
mod body;
mod book;
mod connections;
mod document;
mod error;
mod health;
mod input;
mod jobs;
mod live;
mod metrics;
mod pauses;
mod rate;
mod relay;
mod runs;
mod same_site;
mod socket;
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use access::{Access, Token};
pub use connections::{Bounds, serve};
pub use error::Problem;
pub use input::{Asked, Input, Invalid, Step, Wrong};

use crate::job::Jobs;
use crate::live::Live;
use crate::state::StateFolder;
use crate::topic::Topics;
use book::Book;
use metrics::Metrics;
use rate::Rates;
use relay::Relay;
use same_site::Names;
use socket::Sockets;

/// What handlers work with; a cheap clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    state: StateFolder,
    access: Access,
    names: Names,
    patience: Duration,
    rates: Rates,
    metrics: Metrics,
    book: Book,
    jobs: Jobs,
    live: Live,
    relay: Relay,
    sockets: Sockets,
}

/// What an [`Api`] is made of.
pub struct Parts {
    pub state: StateFolder,
    pub access: Access,
    /// See `[serve]`: `hosts`.
    pub hosts: Vec<String>,
    /// See `[serve]`: `origins`.
    pub origins: Vec<String>,
    /// For a request's body to arrive.
    pub patience: Duration,
    pub jobs: Jobs,
    /// What guests publish.
    pub topics: Topics,
    /// See `[serve]`: `ping`.
    pub ping: Duration,
}

impl Api {
    /// To be called within a tokio runtime.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let relay = Relay::default();
        relay.follow_guests(&parts.topics);
        relay.follow_jobs(parts.jobs.messages());
        Self(Arc::new(Inner {
            state: parts.state.clone(),
            access: parts.access,
            names: Names::new(parts.hosts, parts.origins),
            patience: parts.patience,
            rates: Rates::default(),
            metrics: Metrics::default(),
            book: Book::default(),
            jobs: parts.jobs.clone(),
            live: Live::new(parts.topics, parts.state, parts.jobs),
            relay,
            sockets: Sockets::new(parts.ping),
        }))
    }

    /// Everything that is served.
    pub fn router(&self) -> Router {
        let (open, open_paths) = OpenApiRouter::new()
            .routes(routes!(health::healthz))
            .split_for_parts();
        let (closed, mut described) = document::routes().split_for_parts();
        described.merge(open_paths);
        let described = Arc::new(document::with_common_answers(described));
        let document = get(move || document::document(Arc::clone(&described)));
        let closed = closed
            .route("/", get(relay::connect))
            .route("/ws", get(live::connect))
            .layer(from_fn_with_state(self.clone(), access::required));
        open.route("/api/openapi.json", document)
            .route("/api/ws.schema.json", get(live::schema))
            .merge(closed)
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .layer(from_fn_with_state(self.clone(), body::bounded))
            .layer(self.0.names.cross_origin())
            .layer(from_fn_with_state(self.clone(), same_site::required))
            .layer(from_fn_with_state(self.clone(), rate::limited))
            .layer(from_fn_with_state(self.clone(), metrics::counted))
            .layer(CatchPanicLayer::custom(error::panicked))
            .with_state(self.clone())
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);
