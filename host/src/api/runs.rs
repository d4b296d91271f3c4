//! Runs: those that are under way, and those that are kept.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::Detail;
use super::input::{Asked, page};
use super::{Api, Invalid, Problem};
use crate::clock;
use crate::journal::SinkProgress;
use crate::watch::{Document, State as RunState};

/// Runs of one answer, unless asked otherwise; and at most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those in this state.
    #[param(inline)]
    state: Option<StateWord>,
    /// Only those that are older than the run of this name, which the answer before has as `next`.
    before: Option<String>,
    /// How many to look at, 1 to 100; 20 by default.
    #[param(minimum = 1, maximum = 100)]
    #[serde(default, deserialize_with = "page::<LARGEST_PAGE, _>")]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateWord {
    Running,
    Finished,
    Lost,
    Unreadable,
}

impl StateWord {
    fn is(self, state: &RunState) -> bool {
        matches!(
            (self, state),
            (Self::Running, RunState::Running)
                | (Self::Finished, RunState::Finished)
                | (Self::Lost, RunState::Lost)
                | (Self::Unreadable, RunState::Unreadable(_))
        )
    }
}

/// The newest first.
#[derive(Serialize, ToSchema)]
pub struct Runs {
    runs: Vec<Document>,
    /// What to ask for as `before` to get the next; null where there are none.
    next: Option<String>,
}

/// A sink of a run.
#[derive(Serialize, ToSchema)]
pub struct SinkOfRun {
    run: String,
    #[serde(flatten)]
    sink: SinkProgress,
}

/// The runs, the newest first.
#[utoipa::path(get, path = "/api/runs", tag = "runs", params(Which), responses(
    (status = OK, body = Runs),
    (status = UNPROCESSABLE_ENTITY, body = Invalid),
))]
pub async fn list(
    State(api): State<Api>,
    Asked(which): Asked<Which>,
) -> Result<Json<Runs>, Problem> {
    api.aside(move |api| Json(api.list_runs(&which))).await
}

/// A run as it is now.
#[utoipa::path(get, path = "/api/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "Its name, or `last`")), responses(
    (status = OK, body = Document),
    (status = NOT_FOUND, body = Detail),
))]
pub async fn show(
    State(api): State<Api>,
    Path(run): Path<String>,
) -> Result<Json<Document>, Problem> {
    api.aside(move |api| {
        let id = api.run_named(&run)?;
        Ok(Json(api.document(&id)))
    })
    .await?
}

/// The sinks of runs that have not got all of them, with how many events they have left.
#[utoipa::path(get, path = "/api/sinks", tag = "runs", responses(
    (status = OK, body = Vec<SinkOfRun>),
))]
pub async fn sinks(State(api): State<Api>) -> Result<Json<Vec<SinkOfRun>>, Problem> {
    api.aside(|api| {
        let ids = api.0.state.runs();
        let of = |id: &String| {
            let sinks = api.0.book.with(&api.0.state, id, |run| run.sinks.clone());
            let left = sinks.into_iter().filter(|sink| !sink.closed);
            left.map(|sink| SinkOfRun {
                run: id.clone(),
                sink,
            })
            .collect::<Vec<_>>()
        };
        Json(ids.iter().flat_map(of).collect())
    })
    .await
}

impl Api {
    /// Works on a thread that may wait for files.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let api = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&api)).await;
        done.map_err(Problem::trouble)
    }

    /// The run that is meant by `wanted`: a name, or `last`.
    pub(super) fn run_named(&self, wanted: &str) -> Result<String, Problem> {
        let ids = self.0.state.runs();
        let found = match wanted {
            "last" => ids.last(),
            _ => ids.iter().find(|id| *id == wanted),
        };
        let problem = || Problem::not_found(format!("No run is named {wanted:?}"));
        found.cloned().ok_or_else(problem)
    }

    fn document(&self, id: &str) -> Document {
        let now = clock::now();
        self.0
            .book
            .with(&self.0.state, id, |run| Document::of(run, now))
    }

    fn list_runs(&self, which: &Which) -> Runs {
        let ids = self.0.state.runs();
        self.0.book.keep(&ids);
        let limit = which.limit.unwrap_or(PAGE);
        let older = |id: &&String| which.before.as_ref().is_none_or(|before| *id < before);
        let mut older = ids.iter().rev().filter(older);
        let now = clock::now();
        let mut runs = Vec::new();
        let mut last = None;
        for id in older.by_ref() {
            let document = self.0.book.with(&self.0.state, id, |run| {
                let wanted = which.state.is_none_or(|word| word.is(&run.state));
                wanted.then(|| Document::of(run, now))
            });
            runs.extend(document);
            last = Some(id.clone());
            if runs.len() == limit {
                break;
            }
        }
        let next = older.next().and(last);
        Runs { runs, next }
    }
}
