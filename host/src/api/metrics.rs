//! `/metrics`, for Prometheus.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State as Of};
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
use crate::watch::State;

/// Seconds: from what a lookup takes to what a job that only collects does.
const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// Counted while the host serves.
pub struct Metrics {
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    pub connections: Gauge,
    sockets: Gauge,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Jobs {
    phase: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            connections: Gauge::default(),
            sockets: Gauge::default(),
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
        let sockets = "WebSocket connections that are open";
        registry.register("websocket_connections", sockets, self.sockets.clone());
    }
}

/// What holds when it is looked at.
#[derive(Default)]
struct Now {
    runs: Family<OfState, Gauge>,
    tests: Family<OfVerdict, Gauge>,
    left: Family<OfSink, Gauge>,
    pauses: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVerdict {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSink {
    sink: String,
}

impl Now {
    fn of(api: &Api) -> Self {
        let now = Self::default();
        for id in api.0.state.runs() {
            api.0.book.with(&api.0.state, &id, |watched| {
                let state = watched.state.word();
                now.runs.get_or_create(&OfState { state }).inc();
                for sink in watched.sinks.iter().filter(|sink| !sink.closed) {
                    let sink_name = sink.name.clone();
                    let left = now.left.get_or_create(&OfSink { sink: sink_name });
                    left.inc_by(i64::try_from(sink.left).unwrap_or(i64::MAX));
                }
                if watched.state == State::Running {
                    for (_, verdict, count) in watched.run.counts.iter() {
                        let tests = now.tests.get_or_create(&OfVerdict { verdict });
                        tests.inc_by(i64::try_from(count).unwrap_or(i64::MAX));
                    }
                }
            });
        }
        let open = i64::try_from(api.open().len()).unwrap_or(i64::MAX);
        now.pauses.set(open);
        now
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("runs", "Runs that are kept, by state", self.runs.clone());
        let tests = "Tests of the runs under way that are over, by verdict";
        registry.register("running_tests", tests, self.tests.clone());
        let left = "Events that a sink has not got, of all runs";
        registry.register("sink_backlog_events", left, self.left.clone());
        registry.register("pauses", "Tests that are paused", self.pauses.clone());
    }
}

/// As they are at this moment.
fn register_jobs(registry: &mut Registry, (running, waiting): (usize, usize)) {
    let jobs = Family::<Jobs, Gauge>::default();
    for (phase, count) in [("running", running), ("waiting", waiting)] {
        let gauge = jobs.get_or_create(&Jobs { phase });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("jobs", "Jobs that have not ended", jobs);
}

/// What the host has counted, and what holds now, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "host",
    responses((status = OK, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(Of(api): Of<Api>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("pytest_host");
    let sockets = i64::try_from(api.0.sockets.count()).unwrap_or(i64::MAX);
    api.0.metrics.sockets.set(sockets);
    let slow = "WebSocket clients that were dropped since they did not read";
    registry.register("websocket_slow", slow, api.0.sockets.slow());
    api.0.metrics.register(&mut registry);
    let now = api.aside(Now::of).await?;
    now.register(&mut registry);
    register_jobs(&mut registry, api.0.jobs.load());
    let mut text = String::new();
    encode(&mut text, &registry).map_err(Problem::trouble)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Counts a request and its answer.
pub async fn counted(Of(api): Of<Api>, request: Request, next: Next) -> Response {
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
