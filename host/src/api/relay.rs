//! The WebSocket at `/`, for clients of pytest-relay-run: what sources say goes to all
//! sinks, what sinks say to all sources. The host's own runs are a source, too.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{
    Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::{Notify, broadcast, oneshot};

use super::socket::{BATCH, End, GATHER, Peer, Place, Reader, Writer, halves};
use super::{Api, Problem};
use crate::topic::{Limits, Start, Subscription, Topics};

const ACKNOWLEDGED: &str = r#"{"type":"pytest-conn-ack","payload":null}"#;
const SOURCE: &str = r#"{"type":"pytest-source","payload":null}"#;
/// Where guests say what a source would.
const TOPIC: &str = "relay";
/// Bytes of a message.
const LONGEST: usize = 4 << 20;
/// Of runs that were announced as sources, those that are remembered.
const RUNS: usize = 1000;
/// "Try again later."
const SLOW: u16 = 1013;

/// What a client is, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Source,
    Sink,
}

impl Role {
    /// Where its messages go.
    fn says_to(self) -> &'static str {
        match self {
            Self::Source => "sinks",
            Self::Sink => "sources",
        }
    }

    /// Where its messages come from.
    fn hears(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Sink => "sinks",
        }
    }
}

/// What is between sources and sinks.
#[derive(Clone)]
pub struct Relay {
    hub: Topics,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            hub: Topics::new(Limits::default()),
        }
    }
}

impl Relay {
    /// Takes from here on what guests publish for it. To be called within a runtime.
    pub fn follow_guests(&self, topics: &Topics) {
        let heard = topics.subscribe(TOPIC, Start::Now, Arc::default());
        match heard {
            Ok(subscription) => drop(tokio::spawn(self.clone().guests(subscription))),
            Err(refused) => tracing::error!("own runs are not relayed: {refused}"),
        }
    }

    /// Tells sinks what becomes of jobs. To be called within a runtime.
    pub fn follow_jobs<T: serde::Serialize + Clone + Send + 'static>(
        &self,
        mut messages: broadcast::Receiver<T>,
    ) {
        let relay = self.clone();
        tokio::spawn(async move {
            loop {
                match messages.recv().await {
                    Ok(message) => match serde_json::to_string(&message) {
                        Ok(text) => relay.say(Role::Source, &text.into()),
                        Err(error) => tracing::error!("a job is not told of: {error}"),
                    },
                    Err(broadcast::error::RecvError::Lagged(count)) => {
                        tracing::warn!("{count} changes of jobs were not told of");
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
    }

    async fn guests(self, mut subscription: Subscription) {
        let mut announced: VecDeque<Arc<str>> = VecDeque::new();
        loop {
            let messages = match subscription.wait(BATCH).await {
                Ok(messages) => messages,
                Err(behind) => {
                    tracing::warn!("of own runs: {behind}");
                    continue;
                }
            };
            for message in messages {
                if let Some(source) = &message.source
                    && !announced.contains(&source.run)
                {
                    if announced.len() == RUNS {
                        announced.pop_front();
                    }
                    announced.push_back(Arc::clone(&source.run));
                    self.say(Role::Source, &SOURCE.into());
                }
                self.say(Role::Source, &message.text);
            }
        }
    }

    fn say(&self, who: Role, text: &Arc<str>) {
        if let Err(refused) = self.hub.publish(who.says_to(), None, Arc::clone(text)) {
            tracing::error!("not relayed: {refused}");
        }
    }

    async fn attend(self, socket: WebSocket, mut place: Place) {
        let (mut writer, mut reader) = halves(socket, place.ping);
        let peer = Peer::new();
        let (identified, role) = oneshot::channel();
        let end = {
            let reading = self.read(&mut reader, &peer, identified);
            let writing = write(&mut writer, &peer, role, place.ping);
            tokio::select! {
                () = reading => End::Gone,
                end = writing => end,
                () = place.ending() => End::Ending,
            }
        };
        place.close(writer, end, SLOW).await;
    }

    /// Until the client closes its connection.
    async fn read(
        &self,
        reader: &mut Reader,
        peer: &Peer,
        identified: oneshot::Sender<(Role, Heard)>,
    ) {
        let mut identified = Some(identified);
        let mut role = None;
        while let Some(Ok(message)) = reader.next().await {
            peer.said(&message);
            let text = match message {
                Message::Text(text) => text,
                Message::Close(_) => return,
                Message::Binary(_) => {
                    tracing::debug!("a binary message is not relayed");
                    continue;
                }
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            if serde_json::from_str::<IgnoredAny>(&text).is_err() {
                tracing::debug!("a message that is no JSON is not relayed");
                continue;
            }
            if role.is_none() {
                role = role_of(&text);
                if let Some((role, identified)) = role.zip(identified.take_if(|_| role.is_some())) {
                    let Ok(heard) = Heard::new(&self.hub, role) else {
                        return;
                    };
                    let _ = identified.send((role, heard));
                }
            }
            if let Some(role) = role {
                self.say(role, &text.as_str().into());
            }
        }
    }
}

fn role_of(text: &str) -> Option<Role> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    match serde_json::from_str::<Typed>(text).ok()?.r#type.as_str() {
        "pytest-source" => Some(Role::Source),
        "pytest-sink" => Some(Role::Sink),
        _ => None,
    }
}

/// What a client is to get.
struct Heard {
    subscription: Subscription,
    bell: Arc<Notify>,
}

impl Heard {
    fn new(hub: &Topics, role: Role) -> Result<Self, crate::topic::Refused> {
        let bell = Arc::new(Notify::new());
        let subscription = hub.subscribe(role.hears(), Start::Now, Arc::clone(&bell))?;
        Ok(Self { subscription, bell })
    }

    async fn more(&mut self) -> Result<Vec<Arc<crate::topic::Message>>, End> {
        let first = self.subscription.take(BATCH)?;
        if !first.is_empty() {
            return Ok(first);
        }
        self.bell.notified().await;
        tokio::time::sleep(GATHER).await;
        Ok(self.subscription.take(BATCH)?)
    }
}

async fn write(
    writer: &mut Writer,
    peer: &Peer,
    role: oneshot::Receiver<(Role, Heard)>,
    ping: std::time::Duration,
) -> End {
    if let Err(end) = writer.send(ACKNOWLEDGED).await {
        return end;
    }
    let mut role = Some(role);
    let mut heard: Option<(Role, Heard)> = None;
    let mut ticks = tokio::time::interval(ping);
    ticks.tick().await;
    loop {
        let written = tokio::select! {
            _ = ticks.tick() => {
                if peer.is_silent(ping) {
                    return End::Silent;
                }
                writer.ping().await
            }
            identified = async { role.as_mut()?.await.ok() }, if role.is_some() => {
                role = None;
                heard = identified;
                continue;
            }
            more = async { heard.as_mut()?.1.more().await.into() }, if heard.is_some() => match more {
                Some(Ok(messages)) => all(writer, &messages).await,
                Some(Err(end)) => Err(end),
                None => continue,
            },
        };
        match (written, &heard) {
            (Ok(()), _) => {}
            // pytest-relay never reads, and a source that is cut off is a pytest that ends.
            (Err(End::Slow), Some((Role::Source, _))) => {
                return std::future::pending().await;
            }
            (Err(end), _) => return end,
        }
    }
}

async fn all(writer: &mut Writer, messages: &[Arc<crate::topic::Message>]) -> Result<(), End> {
    for message in messages {
        writer.feed(&message.text).await?;
    }
    writer.flush().await
}

/// Connects a source or a sink.
pub async fn connect(
    State(api): State<Api>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    // There is no page here.
    let upgrade = upgrade.map_err(|_| Problem::not_found("Not Found"))?;
    let relay = api.0.relay.clone();
    api.0.sockets.take(upgrade, LONGEST, move |socket, place| {
        relay.attend(socket, place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Source;

    #[test]
    fn the_first_words_are_the_role() {
        assert_eq!(role_of(SOURCE), Some(Role::Source));
        assert_eq!(
            role_of(r#"{"x": 1, "type": "pytest-sink"}"#),
            Some(Role::Sink)
        );
        for other in [r#"{"type":"job"}"#, "3", r#"{"type":3}"#, "[]"] {
            assert_eq!(role_of(other), None);
        }
    }

    #[tokio::test]
    async fn own_runs_are_sources_each_announced_once() {
        let (relay, topics) = (Relay::default(), Topics::new(Limits::default()));
        let mut sink = Heard::new(&relay.hub, Role::Sink).unwrap();
        relay.follow_guests(&topics);
        for (run, text) in [("1", "a"), ("2", "b"), ("1", "c")] {
            let source = Source {
                sink: "relay".into(),
                run: run.into(),
            };
            topics.publish(TOPIC, Some(&source), text).unwrap();
        }
        let mut heard = Vec::new();
        while heard.len() < 5 {
            heard.extend(sink.more().await.unwrap());
        }
        let texts: Vec<&str> = heard.iter().map(|message| &*message.text).collect();
        assert_eq!(texts, [SOURCE, "a", SOURCE, "b", "c"]);
    }
}
