//! What both WebSocket endpoints do with a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use prometheus_client::metrics::counter::Counter;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Problem;
use crate::topic::Behind;

/// Connections at once, of both endpoints.
const MOST: usize = 1024;
/// A client that has answered pings and does not any more is gone after so many.
const MISSED: u32 = 3;
/// What is written at once. A message that is longer is written alone.
const BUFFER: usize = 64 << 10;
/// Messages that are taken from a topic at once.
pub const BATCH: usize = 64;
/// So that what comes in quick succession leaves together. Everybody who listens is woken
/// for a message, and for those that follow within this time not again.
pub const GATHER: Duration = Duration::from_millis(20);

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is closed already, or broken.
    Gone,
    /// It does not read what it asked for.
    Slow,
    /// It answered pings, and does not any more.
    Silent,
    /// The host ends.
    Ending,
}

impl From<Behind> for End {
    fn from(_: Behind) -> Self {
        Self::Slow
    }
}

impl End {
    /// Code and reason; `slow` is the code for those that don't read.
    fn frame(self, slow: u16) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Slow => (slow, "too slow: messages were not read in time"),
            Self::Silent => (1001, "no answer to pings"),
            Self::Ending => (1001, "the host ends"),
        };
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    }
}

/// All connections.
pub struct Sockets {
    places: Arc<Semaphore>,
    ping: Duration,
    ending: watch::Sender<bool>,
    slow: Counter,
}

/// One connection's place among them.
pub struct Place {
    _permit: OwnedSemaphorePermit,
    pub ping: Duration,
    ending: watch::Receiver<bool>,
    slow: Counter,
}

impl Place {
    /// Waits for the host to end.
    pub async fn ending(&mut self) {
        // Gone with the host.
        let _ = self.ending.wait_for(|ending| *ending).await;
    }

    /// Closes the connection; `slow` is the code for those that don't read.
    pub async fn close(self, writer: Writer, end: End, slow: u16) {
        if end == End::Slow {
            self.slow.inc();
        }
        writer.close(end, slow).await;
    }
}

impl Sockets {
    #[must_use]
    pub fn new(ping: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            ping,
            ending: watch::Sender::new(false),
            slow: Counter::default(),
        }
    }

    /// Says goodbye to all.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// How many were closed since they did not read.
    #[must_use]
    pub fn slow(&self) -> Counter {
        self.slow.clone()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        MOST - self.places.available_permits()
    }

    /// Takes a connection, if there is a place; `message` bounds what a client sends.
    pub fn take<F: Future<Output = ()> + Send + 'static>(
        &self,
        upgrade: WebSocketUpgrade,
        message: usize,
        attend: impl FnOnce(WebSocket, Place) -> F + Send + 'static,
    ) -> Result<Response, Problem> {
        let full = |_| {
            let detail = format!("There are {MOST} WebSocket connections already");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        };
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let place = Place {
            _permit: permit.map_err(full)?,
            ping: self.ping,
            ending: self.ending.subscribe(),
            slow: self.slow.clone(),
        };
        Ok(upgrade
            .max_message_size(message)
            .max_frame_size(message)
            .write_buffer_size(BUFFER)
            .on_upgrade(move |socket| attend(socket, place)))
    }
}

/// Whether a client is still there.
pub struct Peer {
    heard: Mutex<Instant>,
    answers: AtomicBool,
}

impl Peer {
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: Mutex::new(Instant::now()),
            answers: AtomicBool::new(false),
        }
    }

    pub fn said(&self, message: &Message) {
        if matches!(message, Message::Pong(_)) {
            self.answers.store(true, Ordering::Relaxed);
        }
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// One that never answers may be at work: pytest-relay never reads. Whether it is
    /// there at all is found out by TCP.
    #[must_use]
    pub fn is_silent(&self, ping: Duration) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        self.answers.load(Ordering::Relaxed) && heard.elapsed() > ping * MISSED
    }
}

pub type Reader = SplitStream<WebSocket>;

/// The writing half: nothing that is written takes long.
pub struct Writer {
    sink: SplitSink<WebSocket, Message>,
    patience: Duration,
}

/// Both halves.
pub fn halves(socket: WebSocket, patience: Duration) -> (Writer, Reader) {
    let (sink, reader) = socket.split();
    (Writer { sink, patience }, reader)
}

impl Writer {
    /// Writes soon.
    pub async fn feed(&mut self, text: &str) -> Result<(), End> {
        let written = self.sink.feed(Message::Text(text.into()));
        within(self.patience, written).await
    }

    pub async fn flush(&mut self) -> Result<(), End> {
        within(self.patience, self.sink.flush()).await
    }

    pub async fn send(&mut self, text: &str) -> Result<(), End> {
        self.feed(text).await?;
        self.flush().await
    }

    pub async fn ping(&mut self) -> Result<(), End> {
        let written = self.sink.send(Message::Ping(axum::body::Bytes::new()));
        within(self.patience, written).await
    }

    /// Says why, if that can still be said.
    async fn close(mut self, end: End, slow: u16) {
        tracing::debug!("a WebSocket connection is closed: {end:?}");
        if let Some(frame) = end.frame(slow) {
            let closed = self.sink.send(Message::Close(Some(frame)));
            let _ = within(self.patience, closed).await;
        }
    }
}

async fn within(
    patience: Duration,
    written: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    match tokio::time::timeout(patience, written).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

/// Where a machine or its network has gone, TCP says so, to those that never answer pings
/// too: what is not acknowledged for so long breaks the connection.
pub fn notice_the_dead(stream: &TcpStream) {
    const IDLE: Duration = Duration::from_secs(30);
    const BETWEEN: Duration = Duration::from_secs(10);
    const TRIES: u32 = 3;
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, IDLE))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, BETWEEN))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, TRIES));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| sockopt::set_tcp_user_timeout(stream, 60_000));
    if let Err(error) = set {
        tracing::debug!("a peer that is gone will be noticed late: {error}");
    }
}
