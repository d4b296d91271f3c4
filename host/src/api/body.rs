//! What a request brings is read before it is looked at: all of it in time, and no more
//! than there is a use for.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::LengthLimitError;

use super::{Api, Problem};

/// Bytes of a request's body.
pub const LARGEST: usize = 1 << 20;

/// Lets requests through whose body has arrived.
pub async fn bounded(State(api): State<Api>, request: Request, next: Next) -> Response {
    let patience = api.0.patience;
    let (parts, body) = request.into_parts();
    let told = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > LARGEST) {
        return too_large();
    }
    match tokio::time::timeout(patience, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            next.run(request).await
        }
        Ok(Err(error)) if is_limit(&error) => too_large(),
        Ok(Err(_)) => {
            Problem::new(StatusCode::BAD_REQUEST, "The body did not arrive whole").into_response()
        }
        Err(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("The body should arrive within {} s", patience.as_secs_f64()),
        )
        .into_response(),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.is::<LengthLimitError>())
}

fn too_large() -> Response {
    let detail = format!("The body should have at most {LARGEST} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response()
}
