//! What every sink has to bear, recording by recording.

use serde::Serialize;

use super::effects::Effects;
use super::play::{Disturbance, Played, configure_alone, play};
use super::recorder::Answers;
use super::recording::Recording;
use super::stage::StageError;
use super::subject::Subject;

/// How much of a limit may be used before it is told.
const NEAR: f64 = 0.8;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub passed: bool,
    /// What went wrong, or what is worth a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of one recording.
#[derive(Debug, Serialize)]
pub struct Tested {
    pub recording: String,
    pub events: usize,
    pub batches: usize,
    pub checks: Vec<Check>,
    /// Files, and things sent, undisturbed.
    pub files: usize,
    pub sent: usize,
    /// Bytes at the most.
    pub memory: u64,
    /// Bytes of keys and values at the most.
    pub state: u64,
    /// What it wrote and sent, undisturbed.
    #[serde(skip)]
    pub effects: Effects,
}

impl Tested {
    /// Whether all checks passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    fn with(mut self, undisturbed: Played) -> Self {
        self.files = undisturbed.effects.files.len();
        self.sent = undisturbed.effects.sent.len();
        self.memory = undisturbed.memory;
        self.state = undisturbed.state;
        self.effects = undisturbed.effects;
        self
    }
}

/// Feeds a recording to a sink, again and again, disturbed in every way.
///
/// # Errors
///
/// Where there is no place to do that; what the sink does wrong is a check that fails.
pub async fn test(
    subject: &Subject,
    recording: &Recording,
    status: u16,
) -> Result<Tested, StageError> {
    let answers = Answers::All(status);
    let batches = recording.batches().len();
    let mut tested = Tested {
        recording: recording.name.clone(),
        events: recording.events.len(),
        batches,
        checks: Vec::new(),
        files: 0,
        sent: 0,
        memory: 0,
        state: 0,
        effects: Effects::default(),
    };
    tested.checks.push(match configure_alone(subject).await {
        Ok(effects) if effects.is_nothing() => good("configure does nothing"),
        Ok(effects) => bad("configure does nothing", done(&effects)),
        Err(error) => bad("configure does nothing", told(error)?),
    });
    let undisturbed = match play(subject, recording, Disturbance::None, answers).await {
        Ok(played) => played,
        Err(error) => {
            tested.checks.push(bad("takes every event", told(error)?));
            return Ok(tested);
        }
    };
    tested.checks.push(takes_every_event(&undisturbed));
    tested.checks.push(asks_for_nothing_more(&undisturbed));
    tested.checks.push(within_limits(subject, &undisturbed));
    if !tested.passed() {
        // What it does wrong undisturbed, it would do wrong in each of the others.
        return Ok(tested.with(undisturbed));
    }
    let same = async |name, disturbances: Vec<Disturbance>, answers| {
        let mut repeated = 0;
        for disturbance in disturbances {
            let played = match play(subject, recording, disturbance, answers).await {
                Ok(played) => played,
                Err(error) => {
                    return Ok(bad(
                        name,
                        format!("{}: {}", when(disturbance), told(error)?),
                    ));
                }
            };
            if let Some((seq, why)) = played
                .rejected
                .first()
                .filter(|_| undisturbed.rejected.is_empty())
            {
                return Ok(bad(
                    name,
                    format!("{}: event {seq} was rejected: {why}", when(disturbance)),
                ));
            }
            if let Some(difference) = played.effects.differs_from(&undisturbed.effects) {
                return Ok(bad(name, format!("{}: {difference}", when(disturbance))));
            }
            repeated = repeated.max(
                played
                    .effects
                    .repeated()
                    .saturating_sub(undisturbed.effects.repeated()),
            );
        }
        let mut check = good(name);
        if repeated > 0 {
            check.detail = Some(format!("{repeated} sent again at the most"));
        }
        Ok::<Check, StageError>(check)
    };
    let every = |kind: fn(usize) -> Disturbance| (0..batches).map(kind).collect::<Vec<_>>();
    tested
        .checks
        .push(same("open again", vec![Disturbance::OpenedTwice], answers).await?);
    tested.checks.push(
        same(
            "killed after each batch",
            every(Disturbance::KilledAfter),
            answers,
        )
        .await?,
    );
    tested.checks.push(
        same(
            "killed within each batch",
            every(Disturbance::KilledWithin),
            answers,
        )
        .await?,
    );
    tested.checks.push(
        same(
            "swapped before each batch",
            every(Disturbance::SwappedBefore),
            answers,
        )
        .await?,
    );
    tested
        .checks
        .push(same("closed again", vec![Disturbance::ClosedTwice], answers).await?);
    let requests = undisturbed
        .effects
        .sent
        .iter()
        .any(|sent| sent.method != "WS");
    if requests && answers == Answers::All(200) {
        let busy = same("a busy server", vec![Disturbance::None], Answers::Busy).await?;
        tested.checks.push(busy);
    }
    Ok(tested.with(undisturbed))
}

fn good(name: &'static str) -> Check {
    Check {
        name,
        passed: true,
        detail: None,
    }
}

fn bad(name: &'static str, detail: String) -> Check {
    Check {
        name,
        passed: false,
        detail: Some(detail),
    }
}

/// What the sink did wrong; what is no fault of its own goes on as an error.
fn told(error: StageError) -> Result<String, StageError> {
    match error {
        StageError::Io(_) => Err(error),
        error => Ok(error.to_string()),
    }
}

fn done(effects: &Effects) -> String {
    let file = effects
        .files
        .keys()
        .next()
        .map(|file| format!("wrote {file}"));
    let sent = effects.sent.first();
    let sent = sent.map(|sent| format!("sent {} {}", sent.method, sent.url));
    file.or(sent).unwrap_or_default()
}

fn takes_every_event(played: &Played) -> Check {
    const NAME: &str = "takes every event";
    match (played.rejected.as_slice(), played.retried.as_slice()) {
        ([], []) => good(NAME),
        ([(seq, why), rest @ ..], _) => bad(
            NAME,
            format!("event {seq} was rejected: {why}{}", more(rest.len())),
        ),
        (_, [(seq, why), rest @ ..]) => bad(
            NAME,
            format!("event {seq} was asked for again: {why}{}", more(rest.len())),
        ),
    }
}

fn asks_for_nothing_more(played: &Played) -> Check {
    const NAME: &str = "nothing denied";
    match played.denied.as_slice() {
        [] => good(NAME),
        [first, rest @ ..] => bad(NAME, format!("{first}{}", more(rest.len()))),
    }
}

fn more(count: usize) -> String {
    if count == 0 {
        String::new()
    } else {
        format!(" (and {count} more)")
    }
}

fn within_limits(subject: &Subject, played: &Played) -> Check {
    const NAME: &str = "within limits";
    let limits = &subject.spec.limits;
    if played.has_logged_too_much {
        return bad(NAME, "limit.log is reached: lines were left out".to_owned());
    }
    let share = |used: f64, limit: f64, name: &str| {
        let part = used / limit;
        (part > NEAR).then(|| format!("{:.0} % of {name} used", part * 100.0))
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share is shown in whole percents"
    )]
    let near: Vec<String> = [
        share(played.memory as f64, limits.memory as f64, "limit.memory"),
        share(played.state as f64, limits.state as f64, "limit.state"),
        share(
            played.longest_call.as_secs_f64(),
            limits.call.as_secs_f64(),
            "limit.call",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut check = good(NAME);
    check.detail = (!near.is_empty()).then(|| near.join(", "));
    check
}

fn when(disturbance: Disturbance) -> String {
    match disturbance {
        Disturbance::None => "undisturbed".to_owned(),
        Disturbance::OpenedTwice => "opened twice".to_owned(),
        Disturbance::KilledAfter(index) => format!("killed after batch {}", index + 1),
        Disturbance::KilledWithin(index) => format!("killed within batch {}", index + 1),
        Disturbance::SwappedBefore(index) => format!("swapped before batch {}", index + 1),
        Disturbance::ClosedTwice => "closed twice".to_owned(),
    }
}
