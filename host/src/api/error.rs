//! Answers that say what is wrong: `{"detail": …}`, as the published server has them.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::secrets::scrubbed;

/// What is wrong with a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// In one line.
    pub detail: String,
}

/// An answer that is none.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something of ours is wrong: it is logged, and told without particulars.
    pub fn trouble(error: impl std::fmt::Display) -> Self {
        tracing::error!("a request cannot be answered: {error}");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The host has trouble; its log says what",
        )
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let detail = scrubbed(self.detail);
        let mut response = (self.status, Json(Detail { detail })).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub async fn not_found() -> Problem {
    Problem::not_found("Not Found")
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// The answer where a handler panicked; the panic itself is logged by the hook.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}
