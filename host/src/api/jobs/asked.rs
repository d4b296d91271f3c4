//! What is asked for, checked as the published server does: everything that is wrong at
//! once, in pydantic's words.

mod fields;

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::fields::Fields;
use super::Refused;
use crate::api::input::{is_json, not_json};
use crate::api::{Invalid, Wrong};
use crate::job::{Action, NewJob};

/// What a process can be handed: text without NUL characters.
#[derive(Deserialize, ToSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schema(pattern = r"^[^\x00]*$")]
struct Text(String);

/// What a variable can be called.
#[derive(Deserialize, ToSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schema(pattern = r"^[^=\x00]+$")]
struct Name(String);

/// A job that is to be.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes what `new_job` reads")]
pub struct JobRequest {
    /// Null for the `--session-id` among the arguments, or else for one that is made up.
    #[schema(required, max_length = 1000, pattern = r"^[^\x00]*$")]
    id: Option<String>,
    /// pytest's, each as it is.
    args: Vec<Text>,
    #[serde(default)]
    collect_only: bool,
    /// Split each argument into words first, as a shell would.
    #[serde(default, rename = "splitArgs")]
    split_args: bool,
    /// Relative to the server's; where `[serve]` allows it.
    cwd: Option<String>,
    /// On top of the server's; where `[serve]` allows it.
    env: Option<BTreeMap<Name, Text>>,
    /// The interpreter; where `[serve]` allows it.
    python: Option<String>,
}

/// What is to be done.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes what `action` reads")]
pub struct ActionRequest {
    action: JobAction,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum JobAction {
    Start,
    Stop,
}

/// The job that a body asks for.
pub fn new_job(headers: &HeaderMap, body: &[u8]) -> Result<NewJob, Refused> {
    let body = object(headers, body)?;
    let mut fields = Fields::new(&body);
    let new = NewJob {
        id: fields.required("id", Fields::text_or_none).flatten(),
        args: fields.required("args", Fields::texts).unwrap_or_default(),
        collect_only: fields.flag("collect_only"),
        split_args: fields.flag("splitArgs"),
        cwd: fields.path("cwd"),
        env: fields.table("env"),
        python: fields.path("python"),
    };
    Ok(fields.end(new)?)
}

/// The action that a body asks for.
pub fn action(headers: &HeaderMap, body: &[u8]) -> Result<Action, Refused> {
    let body = object(headers, body)?;
    let mut fields = Fields::new(&body);
    let action = fields.required("action", |fields, key, value| match value.as_str() {
        Some("start") => Some(Action::Start),
        Some("stop") => Some(Action::Stop),
        _ => {
            let expected = "'start' or 'stop'";
            let msg = format!("Input should be {expected}");
            let invalid = fields::wrong("enum", Fields::place(key), &msg, value.clone());
            fields.wrong(fields::with(invalid, "expected", expected))
        }
    });
    // Where there is none, that is what is wrong.
    Ok(fields.end(action.unwrap_or(Action::Stop))?)
}

fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    let no_object = |input: Value| -> Wrong {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        fields::wrong("model_attributes_type", vec!["body".into()], msg, input)
    };
    if !is_json(headers) {
        return Err(not_json().into());
    }
    if body.is_empty() {
        let place = vec!["body".into()];
        return Err(Invalid::from(fields::wrong(
            "missing",
            place,
            "Field required",
            Value::Null,
        ))
        .into());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(Invalid::from(no_object(other)).into()),
        Err(error) => {
            let place = vec!["body".into(), offset(body, &error).into()];
            let invalid = fields::wrong("json_invalid", place, "JSON decode error", json!({}));
            Err(Invalid::from(fields::with(invalid, "error", &error.to_string())).into())
        }
    }
}

/// Where it went wrong, in bytes from the start.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before + error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header;

    fn json() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers
    }

    fn wrong(body: &str) -> Value {
        match new_job(&json(), body.as_bytes()) {
            Err(Refused::Invalid(invalid)) => serde_json::to_value(invalid).unwrap(),
            other => panic!("{}", other.is_ok()),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong =
            wrong(r#"{"id": 5, "args": ["a", 1], "collect_only": "x", "cwd": 1, "env": {"A": 1}}"#);
        insta::assert_snapshot!(wrong, @r#"{"detail":[{"type":"string_type","loc":["body","id"],"msg":"Input should be a valid string","input":5},{"type":"string_type","loc":["body","args",1],"msg":"Input should be a valid string","input":1},{"type":"bool_type","loc":["body","collect_only"],"msg":"Input should be a valid boolean","input":"x"},{"type":"string_type","loc":["body","cwd"],"msg":"Input should be a valid string","input":1},{"type":"string_type","loc":["body","env","A"],"msg":"Input should be a valid string","input":1}]}"#);
    }

    #[test]
    fn what_is_no_object_is_told() {
        insta::assert_snapshot!(wrong("[]"), @r#"{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":[]}]}"#);
        insta::assert_snapshot!(wrong(""), @r#"{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}"#);
        insta::assert_snapshot!(wrong("{\n \"id\": x"), @r#"{"detail":[{"type":"json_invalid","loc":["body",9],"msg":"JSON decode error","input":{},"ctx":{"error":"expected value at line 2 column 8"}}]}"#);
        let body = br#"{"id": null, "args": []}"#;
        assert!(matches!(
            new_job(&HeaderMap::new(), body),
            Err(Refused::Problem(_))
        ));
        assert!(new_job(&json(), body).is_ok());
    }

    #[test]
    fn all_keys_are_read() {
        let body = br#"{"id": "x", "args": ["a b"], "collect_only": true, "splitArgs": true,
            "cwd": "d", "env": {"A": "1"}, "python": "p", "later": 1}"#;
        let Ok(new) = new_job(&json(), body) else {
            panic!()
        };
        let expected = NewJob {
            id: Some("x".into()),
            args: vec!["a b".into()],
            collect_only: true,
            split_args: true,
            cwd: Some("d".into()),
            env: [("A".to_owned(), "1".to_owned())].into(),
            python: Some("p".into()),
        };
        assert_eq!(new, expected);
    }
}
