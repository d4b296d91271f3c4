//! Talks to the API of a `host serve`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::context;
use crate::config::BadInput;
use crate::guest::trust;
use crate::job::Job;
use crate::state::{Serving, StateFolder};
use crate::text::printable;

/// To connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which host is meant.
#[derive(Debug, clap::Args)]
pub struct Server {
    /// The host's address, where it does not serve this folder
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The file that has its token
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
}

/// One host.
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    token: Option<String>,
}

impl Server {
    /// The host that is named, or the one that serves here.
    pub fn client(&self) -> anyhow::Result<Client> {
        let (url, token) = match &self.url {
            Some(url) => (url.trim_end_matches('/').to_owned(), self.token()?),
            None => {
                let serving = serving()?;
                (serving.url, serving.token)
            }
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust::config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Client {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            url,
            token,
        })
    }

    fn token(&self) -> Result<Option<String>, BadInput> {
        let read = |file: &PathBuf| {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| BadInput(format!("{}: {error}", file.display())))?;
            Ok(text.trim().to_owned())
        };
        self.token_file.as_ref().map(read).transpose()
    }
}

fn serving() -> anyhow::Result<Serving> {
    let config = context::config(&context::directory()?)?;
    let state = StateFolder::find(config.root());
    let serving = state.as_ref().and_then(Serving::find);
    serving.ok_or_else(|| {
        let root = config.root().display();
        BadInput(format!(
            "no `host serve` is at work for {root}; start one, or name one with --url"
        ))
        .into()
    })
}

/// The path of a job, and what is asked of it.
pub fn path_of(id: &str, rest: &str) -> String {
    format!(
        "/api/jobs/{}{rest}",
        utf8_percent_encode(id, NON_ALPHANUMERIC)
    )
}

impl Client {
    /// Asks, and returns the head of an answer that is one.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response<Incoming>> {
        let url = format!("{}{path}", self.url);
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::from(body))
            .map_err(|error| BadInput(format!("{url} cannot be asked: {error}")))?;
        let answer = self.pool.request(request).await;
        let answer = answer.with_context(|| format!("no host answers at {}", self.url))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let problem = problem(status, &body);
        match status.is_client_error() {
            true => Err(BadInput(problem).into()),
            false => anyhow::bail!(problem),
        }
    }

    /// Asks, and reads the answer.
    pub async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let answer = self.ask(method, path, body).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&body)
            .with_context(|| format!("{} does not answer as a host does", self.url))
    }

    pub async fn job(&self, id: &str) -> anyhow::Result<Job> {
        self.read(Method::GET, &path_of(id, ""), None).await
    }
}

/// In one line, what an answer says that is none.
fn problem(status: StatusCode, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body.get("detail") {
        Some(Value::String(detail)) => {
            // The published server's words.
            let detail = match status {
                StatusCode::NOT_FOUND => detail.replace("' found", "' is not there"),
                _ => detail.clone(),
            };
            printable(&detail)
        }
        Some(Value::Array(details)) => {
            let each = details.iter().map(|detail| {
                let steps = detail.get("loc").and_then(Value::as_array);
                let steps = steps.into_iter().flatten().skip(1);
                let place: Vec<String> = steps
                    .map(|step| {
                        step.as_str()
                            .map_or_else(|| step.to_string(), str::to_owned)
                    })
                    .collect();
                let msg = detail
                    .get("msg")
                    .and_then(Value::as_str)
                    .unwrap_or("is wrong");
                let msg = msg.strip_prefix("Value error, ").unwrap_or(msg);
                printable(&format!("{}: {msg}", place.join(".")))
            });
            each.collect::<Vec<_>>().join("; ")
        }
        _ => format!("the host answers {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let said = |status: u16, body: &str| {
            problem(StatusCode::from_u16(status).unwrap(), body.as_bytes())
        };
        insta::assert_snapshot!(said(404, r#"{"detail": "Job with ID 'a' found"}"#), @"Job with ID 'a' is not there");
        insta::assert_snapshot!(said(409, r#"{"detail": "Job with ID a already\nexists"}"#), @"Job with ID a already exists");
        insta::assert_snapshot!(said(422, r#"{"detail": [{"loc": ["body", "args", 1], "msg": "Value error, no"}, {"loc": ["body", "id"], "msg": "yes"}]}"#), @"args.1: no; id: yes");
        insta::assert_snapshot!(said(502, "<html>"), @"the host answers 502 Bad Gateway");
    }

    #[test]
    fn any_id_has_a_path() {
        assert_eq!(path_of("", "/actions"), "/api/jobs//actions");
        assert_eq!(path_of("a/b ?", ""), "/api/jobs/a%2Fb%20%3F");
    }
}
