//! `websocket`: messages to servers within the sink's grants, over connections that
//! outlive the call.

mod link;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use self::link::{Link, Lost};
use super::http::{HttpGate, RESERVE, authority};
use super::request::target;
use crate::guest::bindings::websocket::{Error, Host, Undelivered};
use crate::guest::client::SendError;
use crate::guest::divert;
use crate::guest::grants::Grants;
use crate::guest::proxy::ProxyConnector;
use crate::guest::store::GuestData;

/// Servers that a sink is connected to, at most.
const SERVERS: usize = 4;
/// A message, at most: more than any server takes.
const MESSAGE_BYTES: usize = 64 << 20;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may take to read a group of messages and to answer the ping behind it.
const ANSWER: Duration = Duration::from_secs(30);
/// How long to wait for a server to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a sink is connected to.
#[derive(Debug)]
pub struct WebSockets {
    connector: ProxyConnector,
    diverted: Option<SocketAddr>,
    servers: HashMap<Url, Server>,
}

/// One server, connected or not.
#[derive(Debug, Default)]
struct Server {
    link: Option<Link>,
    pace: Pace,
}

/// How many messages to send before the server has to show that it read them. A slow
/// one gets few, so that each call comes to something, and little is sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace(usize);

impl Pace {
    const MOST: usize = 256;
    /// A group that took no longer was read with ease.
    const EASY: Duration = Duration::from_secs(1);

    fn after(self, taken: Duration) -> Self {
        if taken <= Self::EASY {
            Self((self.0 * 2).min(Self::MOST))
        } else {
            Self((self.0 / 2).max(1))
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(1)
    }
}

impl WebSockets {
    #[must_use]
    pub fn new(grants: &Arc<Grants>) -> Self {
        let connector = match grants.diverted {
            None => ProxyConnector::new(Arc::clone(grants), Matcher::from_env()),
            Some(to) => ProxyConnector::new(divert::grants(to), Matcher::builder().build()),
        };
        Self {
            connector,
            diverted: grants.diverted,
            servers: HashMap::new(),
        }
    }

    /// Says goodbye to all servers.
    pub async fn close(&mut self) {
        for server in std::mem::take(&mut self.servers).into_values() {
            if let Some(link) = server.link {
                let _ = tokio::time::timeout(GOODBYE, link.close()).await;
            }
        }
    }

    /// Sends `messages` and counts those that were read in `delivered`.
    async fn send(
        &mut self,
        url: Url,
        greeting: Vec<String>,
        messages: Vec<String>,
        ends: Instant,
        delivered: &mut u32,
    ) -> Result<(), Failed> {
        if !self.servers.contains_key(&url) && self.servers.len() >= SERVERS {
            // Of which it uses none again, as it seems.
            self.servers.clear();
        }
        let server = self.servers.entry(url.clone()).or_default();
        let outcome = async {
            let mut link = match server.link.take().filter(Link::is_open) {
                Some(link) => link,
                None => {
                    let at = divert::websocket(&url, self.diverted);
                    let connecting = Link::open(&self.connector, &at);
                    let mut link = within(CONNECT, ends, connecting)
                        .await
                        .ok_or_else(|| Failed::Unreachable("timed out".into()))?
                        .map_err(Failed::of)?;
                    within(ANSWER, ends, link.send(greeting))
                        .await
                        .ok_or(Failed::Silent)?
                        .map_err(Failed::Lost)?;
                    link
                }
            };
            let mut rest = messages.into_iter();
            loop {
                let group: Vec<String> = rest.by_ref().take(server.pace.0).collect();
                let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
                if count == 0 {
                    break;
                }
                let began = Instant::now();
                let sent = within(ANSWER, ends, link.send(group)).await;
                server.pace = server.pace.after(began.elapsed());
                sent.ok_or(Failed::Silent)?.map_err(Failed::Lost)?;
                *delivered = delivered.saturating_add(count);
            }
            server.link = Some(link);
            Ok(())
        };
        outcome.await
    }
}

/// Why messages were not delivered.
#[derive(Debug)]
enum Failed {
    Unreachable(String),
    Address(crate::guest::resolver::AddressDenied),
    Lost(Lost),
    /// No answer to a ping in time.
    Silent,
}

impl Failed {
    fn of(error: SendError) -> Self {
        match error {
            SendError::Denied(denied) => Self::Address(denied),
            SendError::Failed(why) => Self::Unreachable(why),
        }
    }

    fn told(self, gate: &HttpGate, url: &Url) -> Error {
        match self {
            Self::Unreachable(why) => Error::Unreachable(why),
            Self::Address(denied) => {
                gate.address_denied(url, &denied);
                Error::Denied(format!("{}: {denied}", authority(url)))
            }
            Self::Lost(Lost(why)) => Error::Lost(why),
            Self::Silent => Error::Lost("no answer to a ping in time".into()),
        }
    }
}

/// At most for `limit`, and not beyond `ends`.
async fn within<T>(limit: Duration, ends: Instant, work: impl Future<Output = T>) -> Option<T> {
    let left = ends.saturating_duration_since(Instant::now());
    tokio::time::timeout(limit.min(left), work).await.ok()
}

/// The address, if it is one that WebSockets have.
fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    if !matches!(url.scheme(), "ws" | "wss") {
        return Err(format!("{text:?} does not begin with ws:// or wss://"));
    }
    if url.fragment().is_some() {
        return Err(format!("{text:?} has a fragment"));
    }
    target(&url).map_err(|error| error.to_string())?;
    Ok(url)
}

impl Host for GuestData {
    async fn send(
        &mut self,
        url: String,
        greeting: Vec<String>,
        messages: Vec<String>,
    ) -> Result<(), Undelivered> {
        let undelivered = |delivered, why| Err(Undelivered { delivered, why });
        let url = match parse(&url) {
            Ok(url) => url,
            Err(problem) => return undelivered(0, Error::Invalid(problem)),
        };
        if !self.http.allows(&url) {
            return undelivered(0, Error::Denied(authority(&url)));
        }
        let mut all = greeting.iter().chain(&messages);
        if let Some(large) = all.find(|message| message.len() > MESSAGE_BYTES) {
            let problem = format!("a message of {} bytes", large.len());
            return undelivered(0, Error::Invalid(problem));
        }
        let ends = self
            .call_ends
            .checked_sub(RESERVE)
            .unwrap_or(self.call_ends);
        let mut delivered = 0;
        let sent = self
            .websockets
            .send(url.clone(), greeting, messages, ends, &mut delivered)
            .await;
        sent.map_err(|failed| Undelivered {
            delivered,
            why: failed.told(&self.http, &url),
        })
    }
}

#[cfg(test)]
mod tests;
