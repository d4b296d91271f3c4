//! `/api/jobs`: pytest-relay-run's calls, and a job's output.

mod answer;
mod asked;
mod id;
mod output;
mod range;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::answer::Job;
use self::asked::{ActionRequest, JobRequest};
use self::id::Id;
use super::error::Detail;
use super::{Api, Invalid, Problem, Step, Wrong};
use crate::job::{self, JobError, Unfit};

/// What needs the token, all of it.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create, remove_all))
        .routes(routes!(show, remove))
        .routes(routes!(act))
        .routes(routes!(output::output))
        .merge(OpenApiRouter::from(of_the_job_without_a_name()))
}

/// A job may have the id "", which no pattern of a path stands for.
fn of_the_job_without_a_name() -> Router<Api> {
    Router::new()
        .route("/api/jobs/", get(show).delete(remove))
        .route("/api/jobs//actions", post(act))
        .route("/api/jobs//output", get(output::output))
}

/// All jobs, oldest first.
///
/// Their texts have at most 1 MiB each and about 16 MiB all together.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", responses((status = OK, body = Vec<Job>)))]
async fn list(State(api): State<Api>) -> Result<Json<Vec<Job>>, Problem> {
    let jobs = api.0.jobs.list().await.map_err(Problem::trouble)?;
    Ok(Json(jobs.into_iter().map(Job::from).collect()))
}

/// Makes a job and starts it, unless others have to end first.
///
/// One that only collects is answered once it has.
#[utoipa::path(post, path = "/api/jobs", tag = "jobs", request_body = JobRequest, responses(
    (status = CREATED, body = Job, headers(("Location" = String, description = "Of the job"))),
    (status = BAD_REQUEST, description = "id and --session-id are not the same", body = Detail),
    (status = FORBIDDEN, description = "[serve] does not allow it", body = Detail),
    (status = CONFLICT, description = "There is a job with this id", body = Detail),
    (status = UNSUPPORTED_MEDIA_TYPE, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
async fn create(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let new = asked::new_job(&headers, &body)?;
    let job = api.0.jobs.create(new).await?;
    let host = headers.get(header::HOST).map_or("", |host| {
        // It was looked at before this request came here.
        host.to_str().unwrap_or_default()
    });
    let location = format!("http://{host}/api/jobs/{}", id::encoded(&job.id));
    let answer = Json(Job::from(job));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], answer).into_response())
}

/// Removes all jobs from the list. Those that run are not stopped.
#[utoipa::path(delete, path = "/api/jobs", tag = "jobs", responses((status = NO_CONTENT)))]
async fn remove_all(State(api): State<Api>) -> Result<StatusCode, Problem> {
    let removed = api.0.jobs.remove_all().await;
    removed.map_err(Problem::trouble)?;
    Ok(StatusCode::NO_CONTENT)
}

/// One job.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses(
    (status = OK, body = Job),
    (status = NOT_FOUND, body = Detail),
))]
async fn show(State(api): State<Api>, Id(id): Id) -> Result<Json<Job>, Refused> {
    Ok(Json(api.0.jobs.get(&id).await?.into()))
}

/// Removes a job from the list. One that runs is not stopped.
#[utoipa::path(delete, path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path)), responses(
    (status = NO_CONTENT),
    (status = NOT_FOUND, body = Detail),
))]
async fn remove(State(api): State<Api>, Id(id): Id) -> Result<StatusCode, Refused> {
    api.0.jobs.remove(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a job that has collected; or stops one, and answers once it has ended.
///
/// Where there is nothing to start or stop, nothing happens.
#[utoipa::path(post, path = "/api/jobs/{id}/actions", tag = "jobs", params(("id" = String, Path)),
    request_body = ActionRequest, responses(
    (status = OK, body = Job),
    (status = NOT_FOUND, body = Detail),
    (status = UNSUPPORTED_MEDIA_TYPE, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
async fn act(
    State(api): State<Api>,
    Id(id): Id,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Job>, Refused> {
    let action = asked::action(&headers, &body)?;
    Ok(Json(api.0.jobs.act(&id, action).await?.into()))
}

/// An answer that is none.
enum Refused {
    Problem(Problem),
    Invalid(Invalid),
}

impl From<JobError> for Refused {
    fn from(error: JobError) -> Self {
        let status = match error {
            JobError::NotFound(_) => StatusCode::NOT_FOUND,
            JobError::Exists(_) => StatusCode::CONFLICT,
            JobError::Mismatch { .. } => StatusCode::BAD_REQUEST,
            JobError::Forbidden(_) => StatusCode::FORBIDDEN,
            JobError::Unfit(unfit) => return Self::Invalid(invalid(unfit)),
            JobError::Full(_) => {
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, error.to_string());
                return Self::Problem(problem.retry_after(60));
            }
            JobError::Store(error) => return Self::Problem(Problem::trouble(error)),
        };
        Self::Problem(Problem::new(status, error.to_string()))
    }
}

fn invalid(unfit: Unfit) -> Invalid {
    let steps = unfit.loc.into_iter().map(|step| match step {
        job::Step::Key(key) => Step::Key(key),
        job::Step::Index(index) => Step::At(index),
    });
    Invalid::from(Wrong {
        r#type: unfit.r#type,
        loc: steps.collect(),
        msg: unfit.msg,
        input: None,
        ctx: None,
    })
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Invalid(invalid) => invalid.into_response(),
        }
    }
}
