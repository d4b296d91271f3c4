//! The WebSocket at `/ws`: topics, each as a state and what changes it. See `docs/live.md`.

mod message;
mod schema;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use futures_util::StreamExt as _;
use tokio::sync::Notify;

pub use schema::schema;

use super::socket::{BATCH, End, GATHER, Peer, Place, Writer, halves};
use super::{Api, Problem};
use crate::live::{Joined, Live, Resume};
use crate::topic::Subscription;
use message::{FromClient, FromHost, Snapshot, wrap};

/// Topics that a connection may subscribe to.
const MOST: usize = 64;
/// Bytes of a client's message.
const LONGEST: usize = 16 << 10;
/// Messages of a topic before it is another one's turn.
const TURN: usize = 4 * BATCH;
/// The code for subscribers that don't read.
const SLOW: u16 = 4008;

/// Connects a subscriber.
pub async fn connect(
    State(api): State<Api>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let live = api.0.live.clone();
    api.0
        .sockets
        .take(upgrade, LONGEST, move |socket, place| async move {
            let (writer, reader) = halves(socket, place.ping);
            let connection = Connection {
                live,
                bell: Arc::default(),
                subscriptions: Vec::new(),
                writer,
                peer: Peer::new(),
            };
            connection.attend(reader, place).await;
        })
}

struct Connection {
    live: Live,
    /// Rung for all subscriptions.
    bell: Arc<Notify>,
    subscriptions: Vec<Subscription>,
    writer: Writer,
    peer: Peer,
}

impl Connection {
    async fn attend(mut self, mut reader: super::socket::Reader, mut place: Place) {
        let mut ticks = tokio::time::interval(place.ping);
        ticks.tick().await;
        let end = loop {
            let done = tokio::select! {
                message = reader.next() => match message {
                    Some(Ok(message)) => self.heed(message).await,
                    Some(Err(_)) | None => Err(End::Gone),
                },
                () = self.bell.notified() => self.pump().await,
                _ = ticks.tick() => match self.peer.is_silent(place.ping) {
                    true => Err(End::Silent),
                    false => self.writer.ping().await,
                },
                () = place.ending() => Err(End::Ending),
            };
            if let Err(end) = done {
                break end;
            }
        };
        self.subscriptions.clear();
        place.close(self.writer, end, SLOW).await;
    }

    async fn heed(&mut self, message: Message) -> Result<(), End> {
        self.peer.said(&message);
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.problem(None, "messages are text").await,
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(FromClient::Subscribe { topic, from, epoch }) => {
                let resume = from.map(|from| Resume { from, epoch });
                self.subscribe(&topic, resume).await
            }
            Ok(FromClient::Unsubscribe { topic }) => {
                self.subscriptions.retain(|other| **other.topic() != *topic);
                self.say(&FromHost::Unsubscribed { topic: &topic }).await
            }
            Ok(FromClient::Ping {}) => self.say(&FromHost::Pong {}).await,
            Err(error) => {
                let message = format!(
                    "not understood: {error}; messages are {{\"type\": \"subscribe\", \"topic\": …}}, unsubscribe and ping"
                );
                self.problem(None, &message).await
            }
        }
    }

    /// A second subscription to a topic takes the place of the first.
    async fn subscribe(&mut self, topic: &str, resume: Option<Resume>) -> Result<(), End> {
        self.subscriptions.retain(|other| **other.topic() != *topic);
        if self.subscriptions.len() >= MOST {
            let message = format!("a connection may subscribe to {MOST} topics");
            return self.problem(Some(topic), &message).await;
        }
        let (live, bell, name) = (self.live.clone(), Arc::clone(&self.bell), topic.to_owned());
        let joined = live.subscribe(name, resume, bell).await;
        let Joined {
            subscription,
            snapshot,
            gap,
            resumed,
        } = match joined {
            Ok(joined) => joined,
            Err(not_there) => return self.problem(Some(topic), &not_there.to_string()).await,
        };
        let told = Snapshot {
            topic,
            epoch: subscription.epoch(),
            seq: subscription.next_seq() - 1,
        };
        let payload = snapshot
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        let told = match resumed {
            true => FromHost::Resumed(told),
            false => FromHost::Snapshot {
                at: told,
                gap,
                payload,
            },
        };
        let text = serde_json::to_string(&told).unwrap_or_default();
        self.writer.send(&text).await?;
        self.subscriptions.push(subscription);
        // There may be something for it already.
        self.bell.notify_one();
        Ok(())
    }

    /// Writes what there is, some of each topic.
    async fn pump(&mut self) -> Result<(), End> {
        tokio::time::sleep(GATHER).await;
        let mut more = false;
        for subscription in &mut self.subscriptions {
            let mut turn = 0;
            while turn < TURN {
                let messages = subscription.take(BATCH)?;
                if messages.is_empty() {
                    break;
                }
                turn += messages.len();
                for message in messages {
                    self.writer.feed(&message.wrapped(wrap)).await?;
                }
            }
            more |= turn >= TURN;
        }
        if more {
            self.bell.notify_one();
        }
        self.writer.flush().await
    }

    async fn problem(&mut self, topic: Option<&str>, message: &str) -> Result<(), End> {
        self.say(&FromHost::Error { topic, message }).await
    }

    async fn say(&mut self, message: &FromHost<'_>) -> Result<(), End> {
        let text = serde_json::to_string(message).unwrap_or_default();
        self.writer.send(&text).await
    }
}
