//! What the description's file says.

use jsonc_parser::ast::Object;

use crate::fault::Fault;
use crate::plan::{Instant, Plan, mixed};
use crate::reader::{Reader, parse};

const KEYS: [&str; 9] = [
    "test_name",
    "total_hours",
    "total_minutes",
    "total_seconds",
    "unref_setup_fixtures",
    "events",
    "seed",
    "teardown_timeout",
    "stop_timeout",
];

const EVENT_KEYS: [&str; 14] = [
    "name",
    "interval_sec",
    "interval_min",
    "interval_hour",
    "at_startup",
    "at_teardown",
    "params",
    "start_after",
    "jitter",
    "count",
    "overlap",
    "on_error",
    "max_failures",
    "max_duration",
];

/// Seconds in the units of `total_…` and `interval_…`.
const UNITS: [(&str, f64); 3] = [("seconds", 1.0), ("minutes", 60.0), ("hours", 3600.0)];
const INTERVALS: [(&str, f64); 3] = [
    ("interval_sec", 1.0),
    ("interval_min", 60.0),
    ("interval_hour", 3600.0),
];

/// Seconds; nothing is planned more closely.
const SHORTEST: f64 = 0.001;
/// Seconds; 30 years.
const LONGEST: f64 = 1e9;
/// Seconds to wait for events of teardown, and after that for all others to end.
const TEARDOWN_TIMEOUT: f64 = 60.0;
const STOP_TIMEOUT: f64 = 10.0;

#[derive(Clone, Debug)]
pub struct Description {
    pub name: String,
    pub end: Instant,
    pub teardown_timeout: Instant,
    pub stop_timeout: Instant,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    /// JSON, as it goes out with every action.
    pub params: String,
    pub plan: Plan,
    pub at_teardown: bool,
    pub overlap: bool,
    pub on_error: OnError,
    /// How many runs may fail before the test does.
    pub max_failures: u64,
    /// A run that takes longer has failed.
    pub max_duration: Option<Instant>,
}

/// What an error in an event means for the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// It goes on, and fails in the end.
    Fail,
    /// It goes on.
    Continue,
    /// It ends, and fails.
    Stop,
}

impl Description {
    /// Reads a file's text; `hours` in place of how long it says that the test takes.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(text: &str, hours: Option<f64>, seed: u64) -> Result<Self, Fault> {
        let object = parse(text)?;
        let reader = Reader::new(text, &object, &KEYS)?;
        let name = reader.name("test_name")?.to_owned();
        let end = match hours {
            Some(hours) => Some(hours * 3600.0),
            None => total(&reader)?,
        };
        let end = end
            .filter(|seconds| (0.0..=LONGEST).contains(seconds))
            .ok_or_else(|| match hours {
                Some(hours) => Fault::at(text, 0, format!("cannot run for {hours} hours")),
                None => Fault::at(
                    text,
                    object.range.start,
                    "\"total_hours\" is missing (or total_minutes, total_seconds), or more than 30 years",
                ),
            })?;
        reader.texts("unref_setup_fixtures")?;
        let seed = reader.whole("seed")?.unwrap_or(seed);
        let end = nanoseconds(end);
        let events = reader.objects("events")?;
        let events = events.into_iter().zip(0..);
        let events = events.map(|(event, at)| read_event(text, event, end, mixed(seed) ^ at));
        Ok(Self {
            name,
            end,
            teardown_timeout: duration(&reader, "teardown_timeout")?
                .unwrap_or_else(|| nanoseconds(TEARDOWN_TIMEOUT)),
            stop_timeout: duration(&reader, "stop_timeout")?
                .unwrap_or_else(|| nanoseconds(STOP_TIMEOUT)),
            events: events.collect::<Result<_, _>>()?,
        })
    }
}

/// Seconds, all that is given together.
fn total(reader: &Reader) -> Result<Option<f64>, Fault> {
    let mut total = None;
    for (unit, seconds) in UNITS {
        if let Some(given) = reader.number(&format!("total_{unit}"))? {
            total = Some(total.unwrap_or(0.0) + given * seconds);
        }
    }
    Ok(total)
}

fn read_event(text: &str, object: &Object, end: Instant, seed: u64) -> Result<Event, Fault> {
    let reader = Reader::new(text, object, &EVENT_KEYS)?;
    let name = reader.name("name")?.to_owned();
    let interval = interval(&reader)?;
    let at_startup = reader.flag("at_startup")?.unwrap_or(true);
    let start_after = duration(&reader, "start_after")?;
    let count = reader.whole("count")?;
    let first = start_after.unwrap_or(0);
    let plan = match (interval, at_startup || start_after.is_some()) {
        (None, false) => Plan::never(),
        (None, true) => Plan::new(first, None, count, end),
        (Some(each), _) if at_startup => Plan::new(first, Some(each), count, end),
        (Some(each), _) => Plan::new(first.saturating_add(each), Some(each), count, end),
    };
    let jitter = duration(&reader, "jitter")?.unwrap_or(0);
    if interval.is_some_and(|each| jitter >= each) {
        return Err(reader.wrong("jitter", "should be less than the interval"));
    }
    let on_error = match reader.text("on_error")? {
        None | Some("fail") => OnError::Fail,
        Some("continue") => OnError::Continue,
        Some("stop") => OnError::Stop,
        Some(other) => {
            let problem = format!("should be \"fail\", \"continue\" or \"stop\", not {other:?}");
            return Err(reader.wrong("on_error", &problem));
        }
    };
    let none = match on_error {
        OnError::Continue => u64::MAX,
        OnError::Fail | OnError::Stop => 0,
    };
    Ok(Event {
        name,
        params: reader.json("params")?.unwrap_or_else(|| "{}".to_owned()),
        plan: plan.with_jitter(jitter, seed),
        at_teardown: reader.flag("at_teardown")?.unwrap_or(false),
        overlap: reader.flag("overlap")?.unwrap_or(false),
        on_error,
        max_failures: reader.whole("max_failures")?.unwrap_or(none),
        max_duration: duration(&reader, "max_duration")?,
    })
}

/// Nothing, or 0, is no interval.
fn interval(reader: &Reader) -> Result<Option<Instant>, Fault> {
    let mut found = None;
    for (key, unit) in INTERVALS {
        let Some(given) = reader.number(key)?.filter(|given| *given > 0.0) else {
            continue;
        };
        if let Some((other, _)) = found {
            return Err(reader.wrong(key, &format!("is given, and {other} as well")));
        }
        let seconds = given * unit;
        if seconds < SHORTEST {
            return Err(reader.wrong(key, "should be a millisecond or more"));
        }
        found = Some((key, nanoseconds(seconds)));
    }
    Ok(found.map(|(_, interval)| interval))
}

/// Seconds, as nanoseconds.
fn duration(reader: &Reader, key: &str) -> Result<Option<Instant>, Fault> {
    Ok(reader.number(key)?.map(nanoseconds))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 30 years"
)]
fn nanoseconds(seconds: f64) -> Instant {
    (seconds.clamp(0.0, LONGEST) * 1e9).round() as Instant
}
