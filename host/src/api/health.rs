//! Whether the host is there.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// The host is there.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
    version: &'static str,
}

/// Answers as long as the host serves; needs no token.
#[utoipa::path(get, path = "/healthz", tag = "host", security(()), responses((status = OK, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}
