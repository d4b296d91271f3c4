//! `http`: many requests a call, sent by the host within the sink's grants.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use url::Url;

use crate::guest::bindings::http::{Error, Host, Request, Response};
use crate::guest::client::{HttpClient, OutgoingBody};
use crate::guest::grants::Grants;
use crate::guest::store::GuestData;

/// Requests of one call that are under way at once, whatever the guest asks for.
const IN_FLIGHT: usize = 64;
/// Where a request names no timeout.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A response's body, at most; it has to fit the guest's memory many times over.
const RESPONSE_BYTES: usize = 1 << 20;
/// Kept for the guest to make something of the answers before its call ends.
const RESERVE: Duration = Duration::from_secs(2);

/// What sends a sink's requests and what it may reach.
#[derive(Clone, Debug)]
pub struct HttpGate {
    pub client: HttpClient,
    pub grants: Arc<Grants>,
    pub sink: Arc<str>,
}

impl HttpGate {
    /// Whether `url` is granted; where not, says so in the log, with the line
    /// of configuration that would allow it.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let allowed = self.grants.allows(url);
        if !allowed {
            let authority = authority(url);
            tracing::warn!(
                sink = %self.sink,
                "denied a request to {authority}; allow.http = [\"{authority}\"] in [sink.{}] would allow it",
                self.sink
            );
        }
        allowed
    }

    async fn answer(&self, request: Request, ends: Instant) -> Result<Response, Error> {
        let url = Url::parse(&request.url)
            .map_err(|error| Error::Invalid(format!("{:?} is not a URL: {error}", request.url)))?;
        if !self.allows(&url) {
            return Err(Error::Denied(authority(&url)));
        }
        let timeout = match request.timeout {
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .map_err(|_| Error::Invalid(format!("timeout of {seconds} s")))?,
            None => TIMEOUT,
        };
        let left = ends.saturating_duration_since(Instant::now());
        let request = build(request, &url)?;
        tokio::time::timeout(timeout.min(left), self.exchange(request))
            .await
            .unwrap_or(Err(Error::TimedOut))
    }

    async fn exchange(&self, request: http::Request<OutgoingBody>) -> Result<Response, Error> {
        let unreachable = |text: String| Error::Unreachable(text);
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_BYTES)
            .collect()
            .await
            .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => Error::TooLarge(RESPONSE_BYTES as u64),
                None => unreachable(error.to_string()),
            })?
            .to_bytes();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        Ok(Response {
            status: head.status.as_u16(),
            headers,
            body: body.to_vec(),
        })
    }
}

fn build(request: Request, url: &Url) -> Result<http::Request<OutgoingBody>, Error> {
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(url.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(request.body))
        .map_err(|never| match never {})
        .boxed_unsync();
    builder
        .body(body)
        .map_err(|error| Error::Invalid(error.to_string()))
}

/// `scheme://host:port` of a URL, without the port where it is the scheme's own.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Splits requests into those that have to wait for one another, in list order.
fn chains(requests: Vec<Request>) -> Vec<Vec<(usize, Request)>> {
    let mut chains: Vec<Vec<(usize, Request)>> = Vec::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for (index, request) in requests.into_iter().enumerate() {
        let chain = match &request.key {
            Some(key) => *by_key.entry(key.clone()).or_insert(chains.len()),
            None => chains.len(),
        };
        match chains.get_mut(chain) {
            Some(chain) => chain.push((index, request)),
            None => chains.push(vec![(index, request)]),
        }
    }
    chains
}

impl Host for GuestData {
    async fn send(
        &mut self,
        requests: Vec<Request>,
        in_flight: u32,
    ) -> Vec<Result<Response, Error>> {
        let ends = self
            .call_ends
            .checked_sub(RESERVE)
            .unwrap_or(self.call_ends);
        let gate = &self.http;
        let in_flight = usize::try_from(in_flight)
            .unwrap_or(IN_FLIGHT)
            .clamp(1, IN_FLIGHT);
        let mut answers: Vec<(usize, Result<Response, Error>)> = stream::iter(chains(requests))
            .map(|chain| async move {
                let mut answers = Vec::with_capacity(chain.len());
                for (index, request) in chain {
                    answers.push((index, gate.answer(request, ends).await));
                }
                stream::iter(answers)
            })
            .buffer_unordered(in_flight)
            .flatten()
            .collect()
            .await;
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, key: Option<&str>) -> Request {
        Request {
            method: "POST".into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            key: key.map(str::to_owned),
            timeout: None,
        }
    }

    #[test]
    fn equal_keys_wait_for_one_another() {
        let chains = chains(vec![
            request("a", Some("x")),
            request("b", None),
            request("c", Some("x")),
            request("d", None),
        ]);
        let indexes: Vec<Vec<usize>> = chains
            .iter()
            .map(|chain| chain.iter().map(|(index, _)| *index).collect())
            .collect();
        assert_eq!(indexes, [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn an_authority_is_what_a_grant_is_written_as() {
        let url = Url::parse("https://user:pw@h.example:8443/p?q").unwrap();
        assert_eq!(authority(&url), "https://h.example:8443");
        let url = Url::parse("http://h.example/p").unwrap();
        assert_eq!(authority(&url), "http://h.example");
    }
}
