//! What a request asks for, read into a type; what is wrong with it is told as the
//! published server's framework does: `{"detail": [{"type", "loc", "msg"}]}`.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Problem;

/// A body of JSON.
#[derive(Debug)]
pub struct Input<T>(pub T);

/// What follows the `?`.
#[derive(Debug)]
pub struct Asked<T>(pub T);

/// What is wrong with what was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invalid {
    pub detail: Vec<Wrong>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Wrong {
    /// `missing`, `json_invalid`, `value_error` or what pydantic calls it.
    pub r#type: &'static str,
    /// Where: `body`, `query` or `path`, and the way to it from there.
    pub loc: Vec<Step>,
    /// In one line.
    pub msg: String,
    /// What was found there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// More, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
}

/// A key, or a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Step {
    Key(String),
    At(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(position: usize) -> Self {
        Self::At(position)
    }
}

impl From<Wrong> for Invalid {
    fn from(wrong: Wrong) -> Self {
        Self {
            detail: vec![wrong],
        }
    }
}

impl Invalid {
    pub fn one(kind: &'static str, loc: Vec<Step>, msg: impl Into<String>) -> Self {
        let msg = msg.into();
        Self {
            detail: vec![Wrong {
                r#type: kind,
                loc,
                msg,
                input: None,
                ctx: None,
            }],
        }
    }
}

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, Json(self)).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        // Forms, which pages of others can send, have other types.
        if !is_json(request.headers()) {
            return Err(not_json().into_response());
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        read(&bytes).map(Self).map_err(IntoResponse::into_response)
    }
}

pub fn not_json() -> Problem {
    let should = "The header Content-Type should be: application/json";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, should)
}

pub fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let value: Value = serde_json::from_slice(bytes).map_err(|problem| no_json(&problem))?;
    // Serde takes a list for the fields in their order.
    if !value.is_object() {
        let should = "Input should be an object";
        return Err(Invalid::one("value_error", vec!["body".into()], should));
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| data(&error.path().clone(), &error.into_inner().to_string()))
}

fn no_json(problem: &serde_json::Error) -> Invalid {
    let loc = vec!["body".into(), Step::At(problem.column())];
    Invalid::one("json_invalid", loc, format!("JSON decode error: {problem}"))
}

fn data(path: &serde_path_to_error::Path, problem: &str) -> Invalid {
    let mut loc = vec![Step::from("body")];
    for segment in path.iter() {
        match segment {
            serde_path_to_error::Segment::Seq { index } => loc.push(Step::At(*index)),
            serde_path_to_error::Segment::Map { key } => loc.push(key.as_str().into()),
            serde_path_to_error::Segment::Enum { variant } => loc.push(variant.as_str().into()),
            serde_path_to_error::Segment::Unknown => {}
        }
    }
    if let Some(rest) = problem.strip_prefix("missing field `") {
        let key = rest.trim_end_matches('`');
        loc.push(key.into());
        return Invalid::one("missing", loc, "Field required");
    }
    Invalid::one("value_error", loc, problem)
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let Query(asked) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejected| {
            let problem = rejected.body_text();
            let problem = problem
                .rsplit_once("query string: ")
                .map_or(problem.as_str(), |p| p.1);
            Invalid::one("value_error", vec!["query".into()], problem).into_response()
        })?;
        Ok(Self(asked))
    }
}

/// A number from 1 to `MOST`: how many there may be on a page.
///
/// # Errors
///
/// Any other number.
pub fn page<'a, const MOST: usize, D: Deserializer<'a>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    let number = Option::<usize>::deserialize(deserializer)?;
    match number {
        Some(number) if !(1..=MOST).contains(&number) => Err(serde::de::Error::custom(format!(
            "should be a number from 1 to {MOST}"
        ))),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Wanted {
        id: Option<String>,
        args: Vec<String>,
    }

    fn wrong(text: &str) -> String {
        let invalid = read::<Wanted>(text.as_bytes()).unwrap_err();
        serde_json::to_string(&invalid).unwrap()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        insta::assert_snapshot!(wrong("{"), @r#"{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error: EOF while parsing an object at line 1 column 1"}]}"#);
        insta::assert_snapshot!(wrong(r#"{"id": null}"#), @r#"{"detail":[{"type":"missing","loc":["body","args"],"msg":"Field required"}]}"#);
        insta::assert_snapshot!(wrong(r#"{"id": null, "args": ["a", 1]}"#), @r#"{"detail":[{"type":"value_error","loc":["body","args",1],"msg":"invalid type: integer `1`, expected a string"}]}"#);
        insta::assert_snapshot!(wrong(r#"{"id": 1, "args": []}"#), @r#"{"detail":[{"type":"value_error","loc":["body","id"],"msg":"invalid type: integer `1`, expected a string"}]}"#);
        insta::assert_snapshot!(wrong(r#"{"args": []} x"#), @r#"{"detail":[{"type":"json_invalid","loc":["body",14],"msg":"JSON decode error: trailing characters at line 1 column 14"}]}"#);
        insta::assert_snapshot!(wrong("[]"), @r#"{"detail":[{"type":"value_error","loc":["body"],"msg":"Input should be an object"}]}"#);
    }
}
