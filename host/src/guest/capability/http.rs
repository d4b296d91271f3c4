//! `http`: many requests a call, sent by the host within the sink's grants.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use url::Url;

use super::denied::{Denials, Kind};
use super::request;
use crate::guest::bindings::http::{Error, Host, Request, Response};
use crate::guest::client::{HttpClient, OutgoingBody, SendError};
use crate::guest::grants::Grants;
use crate::guest::resolver::AddressDenied;
use crate::guest::store::GuestData;

/// Requests of one sink that are under way at once, whatever the guest asks for.
pub const IN_FLIGHT: usize = 64;
/// Where a request names no timeout.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A response, headers and body, at most; it has to fit the guest's memory many times over.
const RESPONSE_BYTES: usize = 1 << 20;
/// All responses of one call together, at most, for the same reason.
const CALL_BYTES: usize = 16 << 20;
/// Kept for the guest to make something of the answers before its call ends.
pub(super) const RESERVE: Duration = Duration::from_secs(2);

/// What sends a sink's requests and what it may reach.
#[derive(Clone, Debug)]
pub struct HttpGate {
    pub client: HttpClient,
    pub grants: Arc<Grants>,
    pub denials: Denials,
}

impl HttpGate {
    #[must_use]
    pub fn new(grants: Arc<Grants>, denials: Denials) -> Self {
        Self {
            client: HttpClient::within(Arc::clone(&grants)),
            grants,
            denials,
        }
    }

    /// Whether `url` is granted; where not, says so in the log, with the line
    /// of configuration that would allow it.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let allowed = self.grants.reach(url).is_some();
        if !allowed {
            let authority = authority(url);
            let remedy = format!("{} would allow it", self.denials.allow("http", &authority));
            let what = format!("a request to {authority}");
            self.denials.tell(Kind::Http, &what, &remedy);
        }
        allowed
    }

    /// Says in the log that `url` is granted and the address where its host is is not.
    pub fn address_denied(&self, url: &Url, denied: &AddressDenied) {
        let authority = authority(url);
        let remedy = format!("{} would allow it", self.denials.allow("http", &authority));
        let what = format!("a request to {authority}: {denied}");
        self.denials.tell(Kind::Http, &what, &remedy);
    }

    async fn answer(
        &self,
        request: Request,
        ends: Instant,
        budget: &AtomicUsize,
    ) -> Result<Response, Error> {
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
        let request = request::build(&request.method, &url, &request.headers, request.body)
            .map_err(|error| Error::Invalid(error.to_string()))?;
        tokio::time::timeout(timeout.min(left), self.exchange(request, &url, budget))
            .await
            .unwrap_or(Err(Error::TimedOut))
    }

    async fn exchange(
        &self,
        request: http::Request<OutgoingBody>,
        url: &Url,
        budget: &AtomicUsize,
    ) -> Result<Response, Error> {
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| match error {
                SendError::Denied(denied) => {
                    self.address_denied(url, &denied);
                    Error::Denied(format!("{}: {denied}", authority(url)))
                }
                SendError::Failed(cause) => Error::Unreachable(cause),
            })?;
        let (head, body) = response.into_parts();
        let mut allowance = Allowance::new(budget);
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            allowance.take(name.as_str().len() + value.len())?;
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.push((name.as_str().to_owned(), value));
        }
        let body = collect(body, &mut allowance).await?;
        allowance.keep();
        Ok(Response {
            status: head.status.as_u16(),
            headers,
            body,
        })
    }
}

/// What a response may still be, in bytes. What was taken is given back where the
/// response is not kept.
struct Allowance<'a> {
    taken: usize,
    of_call: &'a AtomicUsize,
}

impl<'a> Allowance<'a> {
    fn new(of_call: &'a AtomicUsize) -> Self {
        Self { taken: 0, of_call }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Error> {
        if self.taken.saturating_add(bytes) > RESPONSE_BYTES {
            return Err(Error::TooLarge(RESPONSE_BYTES as u64));
        }
        self.of_call
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map_err(|_| Error::TooLarge(CALL_BYTES as u64))?;
        self.taken += bytes;
        Ok(())
    }

    fn keep(mut self) {
        self.taken = 0;
    }
}

impl Drop for Allowance<'_> {
    fn drop(&mut self) {
        self.of_call.fetch_add(self.taken, Ordering::Relaxed);
    }
}

async fn collect(mut body: Incoming, allowance: &mut Allowance<'_>) -> Result<Vec<u8>, Error> {
    // Where the length is known, all of it is taken before any: responses that arrive
    // side by side would otherwise use up together what would do for some of them.
    let known = usize::try_from(body.size_hint().exact().unwrap_or(0)).unwrap_or(usize::MAX);
    allowance.take(known)?;
    let mut collected = Vec::with_capacity(known);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Unreachable(error.to_string()))?;
        if let Some(data) = frame.data_ref() {
            if known == 0 {
                allowance.take(data.len())?;
            }
            collected.extend_from_slice(data);
        }
    }
    Ok(collected)
}

/// `scheme://host:port` of a URL, without the port where it is the scheme's own.
pub(super) fn authority(url: &Url) -> String {
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
        let budget = &AtomicUsize::new(CALL_BYTES);
        let in_flight = usize::try_from(in_flight)
            .unwrap_or(IN_FLIGHT)
            .clamp(1, IN_FLIGHT);
        let mut answers: Vec<(usize, Result<Response, Error>)> = stream::iter(chains(requests))
            .map(|chain| async move {
                let mut answers = Vec::with_capacity(chain.len());
                for (index, request) in chain {
                    answers.push((index, gate.answer(request, ends, budget).await));
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
    fn responses_of_a_call_are_bounded_one_by_one_and_together() {
        let of_call = &AtomicUsize::new(RESPONSE_BYTES + 1);
        let mut first = Allowance::new(of_call);
        let too_large = first.take(RESPONSE_BYTES + 1).unwrap_err();
        assert_eq!(too_large, Error::TooLarge(RESPONSE_BYTES as u64));
        first.take(RESPONSE_BYTES).unwrap();
        let mut second = Allowance::new(of_call);
        let too_large = second.take(2).unwrap_err();
        assert_eq!(too_large, Error::TooLarge(CALL_BYTES as u64));
        second.take(1).unwrap();
        // What is not kept leaves room, what is kept does not.
        drop(first);
        second.keep();
        assert_eq!(of_call.load(Ordering::Relaxed), RESPONSE_BYTES);
    }

    #[test]
    fn an_authority_is_what_a_grant_is_written_as() {
        let url = Url::parse("https://user:pw@h.example:8443/p?q").unwrap();
        assert_eq!(authority(&url), "https://h.example:8443");
        let url = Url::parse("http://h.example/p").unwrap();
        assert_eq!(authority(&url), "http://h.example");
    }
}
