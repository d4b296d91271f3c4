//! `/api/openapi.json`, from the types.

use std::sync::Arc;

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, ResponseBuilder};
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
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// What any call may be answered with, whatever it is there for.
pub fn with_common_answers(mut described: openapi::OpenApi) -> openapi::OpenApi {
    for item in described.paths.paths.values_mut() {
        let calls = [&mut item.get, &mut item.post, &mut item.delete];
        for call in calls.into_iter().flatten() {
            let needs_token = call.security.is_none();
            let takes_body = call.request_body.is_some();
            let common = [
                (
                    true,
                    "403",
                    "The request is from a page of others, or names another host",
                ),
                (
                    true,
                    "429",
                    "Too many requests: again after Retry-After seconds",
                ),
                (needs_token, "401", "The token is missing or not right"),
                (takes_body, "408", "The body did not arrive in time"),
                (takes_body, "413", "The body is too large"),
            ];
            for (_, status, why) in common.into_iter().filter(|(applies, ..)| *applies) {
                let response = call.responses.responses.entry(status.to_owned());
                response.or_insert_with(|| detail(why).into());
            }
        }
    }
    described
}

fn detail(why: &str) -> openapi::Response {
    let body = openapi::Ref::from_schema_name("Detail");
    let content = ContentBuilder::new().schema(Some(body)).build();
    ResponseBuilder::new()
        .description(why)
        .content("application/json", content)
        .build()
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
pub async fn document(described: Arc<openapi::OpenApi>) -> Json<openapi::OpenApi> {
    Json(described.as_ref().clone())
}
