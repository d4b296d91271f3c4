//! JSON to one server, many requests at once.

use serde::Serialize;

use super::{Error, MAX_CONCURRENCY, Request, Response, authority, post_json, refusal, send};
use crate::{Misconfiguration, Need, Undone, misconfigured};

/// Posts JSON to one URL.
///
/// ```
/// use pytest_host_sdk::{http::{Client, Post}, serde_json::json, testing};
///
/// # testing::host().reset();
/// let client = Client::new("http://127.0.0.1:8080/results");
/// let posts = [Post::new(7, &json!({"test": "a"})).in_order_with("a"), Post::new(8, &json!({"test": "b"}))];
/// let undone = client.post(posts);
/// assert!(undone.is_empty(), "both were answered 200");
/// assert_eq!(testing::host().requests().len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<f64>,
    in_flight: u8,
}

/// What is posted for one event.
#[derive(Clone, Debug)]
pub struct Post {
    seq: u64,
    json: Vec<u8>,
    key: Option<String>,
}

impl Post {
    /// For the event `seq`. What has no JSON is posted as null.
    pub fn new(seq: u64, body: &impl Serialize) -> Self {
        Self {
            seq,
            json: serde_json::to_vec(body).unwrap_or_else(|_| b"null".to_vec()),
            key: None,
        }
    }

    /// Likewise, of what is JSON already.
    pub fn of_text(seq: u64, json: impl Into<String>) -> Self {
        Self {
            seq,
            json: json.into().into_bytes(),
            key: None,
        }
    }

    /// Not before those with the same key that come before it.
    #[must_use]
    pub fn in_order_with(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }
}

impl Client {
    /// A client that has 32 requests under way at once, with the host's own timeout of 30 s.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            headers: vec![],
            timeout: None,
            in_flight: MAX_CONCURRENCY,
        }
    }

    /// Sends a header with each request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long a request may take, in seconds.
    #[must_use]
    pub fn with_timeout(mut self, seconds: f64) -> Self {
        self.timeout = Some(seconds);
        self
    }

    /// How many requests may be under way at once.
    #[must_use]
    pub fn with_concurrency(mut self, requests: u8) -> Self {
        self.in_flight = requests;
        self
    }

    /// What `configure` asks for, where the URL is the setting `key`.
    ///
    /// # Errors
    ///
    /// A URL that cannot be used.
    pub fn need(&self, key: &str) -> Result<Need, Misconfiguration> {
        let authority = authority(&self.url).map_err(|problem| misconfigured(key, problem))?;
        Ok(Need::Http(authority))
    }

    /// Posts all, and answers with the events that are not done: to be tried again where the trouble may
    /// pass, set aside where the server will say the same again.
    pub fn post(&self, posts: impl IntoIterator<Item = Post>) -> Vec<Undone> {
        let (seqs, requests): (Vec<u64>, Vec<Request>) = posts
            .into_iter()
            .map(|post| (post.seq, self.request(post)))
            .unzip();
        let answers: Vec<Result<Response, Error>> = if requests.is_empty() {
            vec![]
        } else {
            send(&requests, self.in_flight.into())
        };
        let undone = |(seq, answer)| refusal(answer).map(|why| Undone { seq, why });
        seqs.into_iter().zip(&answers).filter_map(undone).collect()
    }

    fn request(&self, post: Post) -> Request {
        let mut request = post_json(&self.url, post.json);
        request.headers.extend(self.headers.iter().cloned());
        request.timeout = self.timeout;
        request.key = post.key;
        request
    }
}
