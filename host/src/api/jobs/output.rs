//! `/api/jobs/{id}/output`: what a job's process prints, while it runs and afterwards.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Refused;
use super::id::Id;
use super::range::Wanted;
use crate::api::error::Detail;
use crate::api::{Api, Asked, Invalid, Problem};
use crate::job::{Chunk, Output};

/// The most that the answer to a range has.
const LARGEST: u64 = 16 << 20;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Go on until the process has ended.
    #[serde(default)]
    follow: bool,
}

/// What a job has printed so far, or with `follow` all of it as it comes.
///
/// Bytes are counted as they were printed; where some were not kept, a line says so, and a
/// range has those behind it.
#[utoipa::path(get, path = "/api/jobs/{id}/output", tag = "jobs",
    params(("id" = String, Path), How, ("Range" = Option<String>, Header, description = "One range of bytes; not with follow")),
    responses(
        (status = OK, body = String, content_type = "text/plain"),
        (status = PARTIAL_CONTENT, body = String, content_type = "text/plain"),
        (status = UNPROCESSABLE_ENTITY, body = Invalid),
        (status = NOT_FOUND, body = Detail),
        (status = RANGE_NOT_SATISFIABLE, body = Detail),
    ))]
pub async fn output(
    State(api): State<Api>,
    Id(id): Id,
    Asked(how): Asked<How>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let output = api.0.jobs.output(&id)?;
    if how.follow {
        return Ok(text(StatusCode::OK, Body::from_stream(follow(output))));
    }
    let range = headers.get(header::RANGE);
    let range = range.and_then(|range| Wanted::read(range.to_str().ok()?));
    let length = output.length().await.map_err(Problem::trouble)?;
    match range {
        Some(asked) => part(output, asked, length).await,
        None => Ok(text(
            StatusCode::OK,
            Body::from_stream(so_far(output, length)),
        )),
    }
}

async fn part(mut output: Output, asked: Wanted, length: u64) -> Result<Response, Refused> {
    let Some((start, end)) = asked.of(length) else {
        return Ok(none(length, "There are no such bytes"));
    };
    output.seek(start);
    let end = end.min(start.saturating_add(LARGEST));
    let mut bytes = Vec::new();
    let mut first = None;
    let mut at = start;
    while at < end
        && let Some(chunk) = output.read(end - at).await.map_err(Problem::trouble)?
        // What is behind a gap is another range.
        && (first.is_none() || chunk.left_out == 0)
        && chunk.offset < end
    {
        first.get_or_insert(chunk.offset);
        let fits = usize::try_from(end - chunk.offset).unwrap_or(usize::MAX);
        bytes.extend_from_slice(chunk.bytes.get(..fits).unwrap_or(&chunk.bytes));
        at = chunk.offset + chunk.bytes.len() as u64;
    }
    let Some(first) = first else {
        return Ok(none(length, "Nobody has kept these bytes"));
    };
    let last = first + bytes.len() as u64 - 1;
    let of = if output.is_whole() {
        length.to_string()
    } else {
        "*".to_owned()
    };
    let range = format!("bytes {first}-{last}/{of}");
    let mut response = text(StatusCode::PARTIAL_CONTENT, Body::from(bytes));
    if let Ok(range) = range.parse() {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

fn none(length: u64, why: &str) -> Response {
    let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, why);
    (range, problem).into_response()
}

fn text(status: StatusCode, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCEPT_RANGES, "bytes"),
    ];
    (status, headers, body).into_response()
}

fn so_far(output: Output, length: u64) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((output, 0), move |(mut output, at)| async move {
        if at >= length {
            return Ok(None);
        }
        let Some(chunk) = output.read(length - at).await? else {
            return Ok(None);
        };
        let at = chunk.offset + chunk.bytes.len() as u64;
        Ok(Some((shown(&chunk), (output, at))))
    })
}

fn follow(output: Output) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(output, |mut output| async move {
        let chunk = output.next().await?;
        Ok(chunk.map(|chunk| (shown(&chunk), output)))
    })
}

fn shown(chunk: &Chunk) -> Bytes {
    if chunk.left_out == 0 {
        return chunk.bytes.clone();
    }
    let line = format!(
        "\n[host: {} bytes are left out here that nobody kept]\n",
        chunk.left_out
    );
    [line.as_bytes(), &chunk.bytes].concat().into()
}
