//! `/api/openapi.json`, from the types.

use std::sync::Arc;

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, jobs, metrics, pauses, runs, tests};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "pytest-host",
        description = "Watch and steer pytest runs; start and stop jobs. Every error has a body {\"detail\": …}.",
    ),
    tags(
        (name = "host", description = "The host itself"),
        (name = "runs", description = "Runs that are under way, and those that are kept"),
        (name = "pauses", description = "Tests that wait for somebody's answer"),
        (name = "jobs", description = "pytest runs that are started, watched and stopped from outside"),
    ),
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
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(metrics::metrics))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::sinks))
        .routes(routes!(tests::tests))
        .routes(routes!(pauses::list))
        .routes(routes!(pauses::show))
        .routes(routes!(pauses::resume))
        .routes(routes!(pauses::extend))
        .routes(routes!(pauses::abort))
        .merge(jobs::routes())
}

/// The document.
pub async fn document(described: Arc<utoipa::openapi::OpenApi>) -> Json<utoipa::openapi::OpenApi> {
    Json(described.as_ref().clone())
}
