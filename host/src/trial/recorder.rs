//! Takes what a sink sends, in place of whoever it is for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use super::effects::Sent;
use crate::guest::divert;

/// A body that is larger is none that a sink sends.
const BODY_BYTES: usize = 64 << 20;
/// Headers that say how a request is carried, not what it says.
const CARRIAGE: [header::HeaderName; 5] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::ACCEPT,
];

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    All(u16),
    /// The first three with 503, and one of seven later on.
    Busy,
}

struct Shared {
    answers: Answers,
    sent: Mutex<Vec<Sent>>,
    requests: AtomicUsize,
}

/// A server on this machine for as long as the runtime lives.
pub struct Recorder {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// Where no port can be had.
    pub async fn start(answers: Answers) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            answers,
            sent: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, shared })
    }

    /// What was taken so far, in the order in which it came.
    pub fn sent(&self) -> Vec<Sent> {
        let sent = self.shared.sent.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let url = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == divert::URL)
        .map(|(_, url)| url.into_owned())
        .unwrap_or_default();
    let (mut parts, body) = request.into_parts();
    if let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &shared).await {
        return upgrade.on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                if let Message::Text(text) = message {
                    shared.note(Sent::message(&url, text.as_str()));
                }
            }
        });
    }
    let Ok(body) = to_bytes(Body::new(body), BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let sent = Sent {
        method: parts.method.to_string(),
        url,
        headers: headers(&parts.headers),
        body: body.to_vec(),
    };
    let status = match shared.answers {
        Answers::All(status) => status,
        Answers::Busy => match shared.requests.fetch_add(1, Ordering::Relaxed) {
            number if number < 3 || number % 7 == 0 => 503,
            _ => 200,
        },
    };
    // What a busy server did not take, it does not have.
    if shared.answers != Answers::Busy || status == 200 {
        shared.note(sent);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    // For sinks that go by it: nobody wants to wait here.
    (status, [(header::RETRY_AFTER, "0")]).into_response()
}

fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = all
        .iter()
        .filter(|(name, _)| !CARRIAGE.contains(name))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect();
    kept.sort();
    kept
}

impl Shared {
    fn note(&self, sent: Sent) {
        let taken = self.sent.lock();
        taken.unwrap_or_else(PoisonError::into_inner).push(sent);
    }
}
