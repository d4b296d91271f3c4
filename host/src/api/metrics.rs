//! `/metrics`, for Prometheus.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Api, Problem};

/// Seconds: from what a lookup takes to what a job that only collects does.
const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// Counted while the host serves.
pub struct Metrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    pub connections: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    /// As it is documented, or there would be one for each job.
    path: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    path: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            connections: Gauge::default(),
        }
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        let requests = "HTTP requests that were answered";
        registry.register("http_requests", requests, self.requests.clone());
        let seconds = "Time to an answer";
        registry.register_with_unit(
            "http_request_duration",
            seconds,
            Unit::Seconds,
            self.seconds.clone(),
        );
        let connections = "Connections that are open";
        registry.register("http_connections", connections, self.connections.clone());
    }
}

/// What the host has counted, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "host",
    responses((status = OK, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("pytest_host");
    api.0.metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(Problem::trouble)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Counts a request and its answer.
pub async fn counted(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map_or("unknown", MatchedPath::as_str).to_owned();
    // Of those that HTTP knows; others could be any number.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "DELETE" | "PUT" | "PATCH" | "OPTIONS") => known,
        _ => "other",
    }
    .to_owned();
    let response = next.run(request).await;
    let metrics = &api.0.metrics;
    let asked = Asked {
        method: method.clone(),
        path: path.clone(),
    };
    let taken = metrics.seconds.get_or_create(&asked);
    taken.observe(started.elapsed().as_secs_f64());
    let answered = Answered {
        method,
        path,
        status: response.status().as_u16(),
    };
    metrics.requests.get_or_create(&answered).inc();
    response
}
