//! Pauses: what waits, and what is to become of it.

use std::io;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Detail;
use super::input::Input;
use super::{Api, Invalid, Problem};
use crate::control::{self, Control};
use crate::protocol::control::{FromControl, OpenPause, ToControl};
use crate::protocol::pause::{Ask, Decision};

/// Who answers where nobody says.
const BY: &str = "http";
/// A pause is put off by so many seconds at most.
const LONGEST: f64 = 7.0 * 24.0 * 3600.0;

/// A pause that waits.
#[derive(Serialize, ToSchema)]
pub struct PauseOfRun {
    id: String,
    run: String,
    /// `failure` or `checkpoint`.
    kind: &'static str,
    nodeid: String,
    attempt: u32,
    task: String,
    original_failure: Option<String>,
    worker: Option<String>,
    pid: u32,
    hostname: String,
    /// Seconds since the epoch.
    created: f64,
    /// Seconds since the epoch.
    deadline: f64,
    /// Seconds to the deadline.
    left: f64,
}

/// A pause, and what the test that waits sees.
#[derive(Serialize, ToSchema)]
pub struct Shown {
    pause: PauseOfRun,
    /// `failure`, `captured` and `stack`: see the protocol's `show`.
    #[schema(value_type = Object)]
    inside: Value,
}

/// How a pause ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// What a checkpoint answers.
    #[serde(default)]
    result: Option<bool>,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// Added to the report of a test that failed.
    #[serde(default)]
    failure_reason: Option<String>,
    /// Who says so; `http` by default.
    #[serde(default)]
    by: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// Added to the deadline; above 0, at most a week.
    #[schema(exclusive_minimum = 0, maximum = 604_800)]
    seconds: f64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Added to the test's report.
    #[serde(default)]
    reason: Option<String>,
    /// Whether the whole run ends, after the test's teardown.
    #[serde(default)]
    session: bool,
    /// Who says so; `http` by default.
    #[serde(default)]
    by: Option<String>,
}

/// The test has taken the answer.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// Always true: what is not accepted is an error.
    accepted: bool,
    /// The new deadline, where there is one: seconds since the epoch.
    deadline: Option<f64>,
}

impl From<OpenPause> for PauseOfRun {
    fn from(open: OpenPause) -> Self {
        let OpenPause { run, pause, left } = open;
        Self {
            id: pause.id,
            run,
            kind: pause.kind.word(),
            nodeid: pause.nodeid,
            attempt: pause.attempt,
            task: pause.task,
            original_failure: pause.original_failure,
            worker: pause.worker,
            pid: pause.pid,
            hostname: pause.hostname,
            created: pause.created,
            deadline: pause.deadline,
            left,
        }
    }
}

/// The pauses that wait, the oldest first; of all runs here, whatever host they have.
#[utoipa::path(get, path = "/api/pauses", tag = "pauses", responses(
    (status = OK, body = Vec<PauseOfRun>),
))]
pub async fn list(State(api): State<Api>) -> Result<Json<Vec<PauseOfRun>>, Problem> {
    api.aside(|api| {
        let mut open = api.open();
        open.sort_by(|a, b| a.pause.created.total_cmp(&b.pause.created));
        Json(open.into_iter().map(PauseOfRun::from).collect())
    })
    .await
}

/// A pause, with the failure, what was captured, and the stack of the test that waits.
#[utoipa::path(get, path = "/api/pauses/{pause}", tag = "pauses",
    params(("pause" = String, Path, description = "Its id")), responses(
    (status = OK, body = Shown),
    (status = NOT_FOUND, body = Detail),
    (status = CONFLICT, body = Detail),
))]
pub async fn show(
    State(api): State<Api>,
    Path(pause): Path<String>,
) -> Result<Json<Shown>, Problem> {
    api.aside(move |api| {
        let (open, inside) = api.ask(&pause, Ask::Show)?;
        let pause = PauseOfRun::from(open);
        Ok(Json(Shown { pause, inside }))
    })
    .await?
}

/// Let a paused test go on.
#[utoipa::path(post, path = "/api/pauses/{pause}/resume", tag = "pauses", request_body = Resume,
    params(("pause" = String, Path, description = "Its id")), responses(
    (status = OK, body = Accepted),
    (status = NOT_FOUND, body = Detail),
    (status = CONFLICT, body = Detail, description = "The test does not take it: somebody else was first, or it does not fit"),
    (status = UNSUPPORTED_MEDIA_TYPE, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
pub async fn resume(
    State(api): State<Api>,
    Path(pause): Path<String>,
    Input(how): Input<Resume>,
) -> Result<Json<Accepted>, Problem> {
    let what = Ask::Resume {
        by: how.by.unwrap_or_else(|| BY.to_owned()),
        decision: Decision {
            failure_reason: how.failure_reason,
            result: how.result,
            reason: how.reason,
        },
    };
    api.tell(pause, what).await
}

/// Put a pause's deadline off.
#[utoipa::path(post, path = "/api/pauses/{pause}/extend", tag = "pauses", request_body = Extend,
    params(("pause" = String, Path, description = "Its id")), responses(
    (status = OK, body = Accepted),
    (status = NOT_FOUND, body = Detail),
    (status = CONFLICT, body = Detail),
    (status = UNSUPPORTED_MEDIA_TYPE, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
pub async fn extend(
    State(api): State<Api>,
    Path(pause): Path<String>,
    Input(Extend { seconds }): Input<Extend>,
) -> axum::response::Result<Json<Accepted>> {
    if !(seconds > 0.0 && seconds <= LONGEST) {
        let loc = vec!["body".into(), "seconds".into()];
        let should = format!("should be above 0 and at most {LONGEST}");
        return Err(Invalid::one("value_error", loc, should).into());
    }
    Ok(api.tell(pause, Ask::Extend { seconds }).await?)
}

/// Let a paused test fail.
#[utoipa::path(post, path = "/api/pauses/{pause}/abort", tag = "pauses", request_body = Abort,
    params(("pause" = String, Path, description = "Its id")), responses(
    (status = OK, body = Accepted),
    (status = NOT_FOUND, body = Detail),
    (status = CONFLICT, body = Detail),
    (status = UNSUPPORTED_MEDIA_TYPE, body = Detail),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
pub async fn abort(
    State(api): State<Api>,
    Path(pause): Path<String>,
    Input(how): Input<Abort>,
) -> Result<Json<Accepted>, Problem> {
    let what = Ask::Abort {
        by: how.by.unwrap_or_else(|| BY.to_owned()),
        reason: how.reason,
        session: how.session,
    };
    api.tell(pause, what).await
}

impl Api {
    /// Every pause that waits.
    pub(super) fn open(&self) -> Vec<OpenPause> {
        let mut open = Vec::new();
        for mut core in control::living(&self.0.state) {
            if let Ok(ToControl::Pauses { pauses }) = core.ask(&FromControl::Pauses) {
                open.extend(pauses);
            }
        }
        open
    }

    fn ask(&self, id: &str, what: Ask) -> Result<(OpenPause, Value), Problem> {
        let (mut core, open) = self.find(id)?;
        let pause = id.to_owned();
        let answer = core.ask(&FromControl::AskPause { pause, what });
        match answer.map_err(Problem::trouble)? {
            ToControl::Accepted { value } => Ok((open, value)),
            ToControl::Refused { message } => Err(Problem::new(StatusCode::CONFLICT, message)),
            other => Err(Problem::trouble(io::Error::other(format!("{other:?}")))),
        }
    }

    fn find(&self, id: &str) -> Result<(Control, OpenPause), Problem> {
        for mut core in control::living(&self.0.state) {
            let Ok(ToControl::Pauses { pauses }) = core.ask(&FromControl::Pauses) else {
                continue;
            };
            if let Some(open) = pauses.into_iter().find(|open| open.pause.id == id) {
                return Ok((core, open));
            }
        }
        Err(Problem::not_found(format!("No pause {id:?} waits")))
    }

    async fn tell(&self, pause: String, what: Ask) -> Result<Json<Accepted>, Problem> {
        self.aside(move |api| {
            let (_, value) = api.ask(&pause, what)?;
            Ok(Json(Accepted {
                accepted: true,
                deadline: value.as_f64(),
            }))
        })
        .await?
    }
}
