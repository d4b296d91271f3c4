//! `/api/openapi.json`, from the types.

use std::sync::Arc;

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, metrics};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "pytest-host",
        description = "Watch and steer pytest runs; start and stop jobs. Every error has a body {\"detail\": …}.",
    ),
    tags((name = "host", description = "The host itself")),
    modifiers(&Bearer),
    security(("token" = [])),
)]
struct Described;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// What needs the token.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Described::openapi()).routes(routes!(metrics::metrics))
}

/// The document.
pub async fn document(described: Arc<utoipa::openapi::OpenApi>) -> Json<utoipa::openapi::OpenApi> {
    Json(described.as_ref().clone())
}
