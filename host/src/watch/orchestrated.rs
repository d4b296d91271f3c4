//! What orchestrated tests have come to so far, event by event.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::guest::bindings::events::Extension;
use crate::text::printable;

/// Durations that percentiles are made of: the newest.
const DURATIONS: usize = 1000;
/// Orchestrations of one run that are kept.
const KEPT: usize = 100;

/// What the adapter says, in an extension of that name.
#[derive(Debug, Deserialize)]
struct Told {
    orchestration: String,
    id: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    instance: u32,
    #[serde(default)]
    events: Vec<String>,
    /// Seconds since it began, as is what follows.
    #[serde(default)]
    at: f64,
    #[serde(default)]
    next: Option<f64>,
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    duration: f64,
}

/// One orchestrated test.
#[derive(Clone, Debug, Default)]
pub struct Orchestrated {
    pub id: String,
    pub name: String,
    /// Seconds since the epoch.
    pub began: f64,
    pub is_over: bool,
    /// In the order of the description.
    pub events: Vec<EventState>,
    running: HashMap<u32, usize>,
}

#[derive(Clone, Debug, Default)]
pub struct EventState {
    pub name: String,
    pub runs: u64,
    pub failures: u64,
    pub running: u64,
    /// Seconds since the orchestration began.
    pub last: Option<f64>,
    pub next: Option<f64>,
    /// The newest, in a ring.
    durations: Vec<f64>,
    ended: usize,
}

/// As `--json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OrchestratedDocument {
    pub name: String,
    pub began: f64,
    pub over: bool,
    pub events: Vec<EventDocument>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventDocument {
    pub name: String,
    pub runs: u64,
    pub failures: u64,
    pub running: u64,
    pub last: Option<f64>,
    pub next: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

/// Takes in what an extension says, where it is one of ours.
pub fn take(known: &mut Vec<Orchestrated>, time: f64, extension: &Extension) {
    let Some(what) = extension.name.strip_prefix("orchestration-") else {
        return;
    };
    let Ok(told) = serde_json::from_str::<Told>(&extension.payload) else {
        return;
    };
    if what == "began" {
        if known.len() < KEPT {
            known.push(Orchestrated::new(told, time));
        }
        return;
    }
    let Some(one) = known.iter_mut().find(|one| one.id == told.id) else {
        return;
    };
    match what {
        "started" => one.started(told),
        "ended" => one.ended(&told),
        "finished" => one.is_over = true,
        _ => {}
    }
}

impl Orchestrated {
    fn new(told: Told, time: f64) -> Self {
        let named = |name| EventState {
            name,
            ..EventState::default()
        };
        Self {
            id: told.id,
            name: told.orchestration,
            began: time,
            events: told.events.into_iter().map(named).collect(),
            ..Self::default()
        }
    }

    fn started(&mut self, told: Told) {
        let at = self
            .events
            .iter()
            .position(|event| event.name == told.event);
        let at = at.unwrap_or_else(|| {
            self.events.push(EventState {
                name: told.event,
                ..EventState::default()
            });
            self.events.len() - 1
        });
        if let Some(event) = self.events.get_mut(at) {
            event.runs += 1;
            event.running += 1;
            event.last = Some(told.at);
            event.next = told.next;
            self.running.insert(told.instance, at);
        }
    }

    fn ended(&mut self, told: &Told) {
        let at = self.running.remove(&told.instance);
        if let Some(event) = at.and_then(|at| self.events.get_mut(at)) {
            event.running = event.running.saturating_sub(1);
            event.failures += u64::from(!told.ok);
            if let Some(oldest) = event.durations.get_mut(event.ended % DURATIONS) {
                *oldest = told.duration;
            } else {
                event.durations.push(told.duration);
            }
            event.ended += 1;
        }
    }

    #[must_use]
    pub fn document(&self) -> OrchestratedDocument {
        OrchestratedDocument {
            name: self.name.clone(),
            began: self.began,
            over: self.is_over,
            events: self.events.iter().map(EventState::document).collect(),
        }
    }

    /// A table for people; `now` in seconds since the epoch.
    #[must_use]
    pub fn table(&self, now: f64) -> Vec<String> {
        let since = now - self.began;
        let mut rows =
            vec![["event", "runs", "failed", "last", "next", "p50", "p95"].map(str::to_owned)];
        for event in &self.events {
            let document = event.document();
            let ago = document
                .last
                .map(|last| format!("{} ago", span(since - last)));
            let next = document.next.filter(|_| !self.is_over);
            let next = next.map(|next| format!("in {}", span(next - since)));
            let running = match event.running {
                0 => String::new(),
                count => format!(" +{count}"),
            };
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            rows.push([
                printable(&event.name),
                format!("{}{running}", event.runs - event.running),
                event.failures.to_string(),
                dash(if event.running > 0 {
                    Some("now".to_owned())
                } else {
                    ago
                }),
                dash(next),
                dash(document.p50.map(|p50| format!("{p50:.3} s"))),
                dash(document.p95.map(|p95| format!("{p95:.3} s"))),
            ]);
        }
        aligned(&rows)
    }
}

impl EventState {
    fn document(&self) -> EventDocument {
        let mut sorted = self.durations.clone();
        sorted.sort_by(f64::total_cmp);
        EventDocument {
            name: self.name.clone(),
            runs: self.runs,
            failures: self.failures,
            running: self.running,
            last: self.last,
            next: self.next,
            p50: percentile(&sorted, 50),
            p95: percentile(&sorted, 95),
        }
    }
}

/// The nearest rank.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// `12 s`, or `1:02:03`.
fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{:.0} s", seconds.max(0.0));
    }
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let whole = time.as_secs();
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The first column to the left, all others to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(known: &mut Vec<Orchestrated>, what: &str, more: &serde_json::Value) {
        let mut payload = serde_json::json!({"orchestration": "soak", "id": "1"});
        payload
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let extension = Extension {
            name: format!("orchestration-{what}"),
            payload: payload.to_string(),
        };
        take(known, 1000.0, &extension);
    }

    #[test]
    fn a_table_of_events() {
        use serde_json::json;
        let mut known = Vec::new();
        tell(
            &mut known,
            "started",
            &json!({"event": "lost", "instance": 1}),
        );
        tell(&mut known, "began", &json!({"events": ["play", "report"]}));
        for instance in 1..=20 {
            let at = f64::from(instance) * 5.0;
            tell(
                &mut known,
                "started",
                &json!({"event": "play", "instance": instance, "at": at, "next": at + 5.0}),
            );
            tell(
                &mut known,
                "ended",
                &json!({"instance": instance, "ok": instance % 10 != 0, "duration": f64::from(instance) / 10.0}),
            );
        }
        tell(
            &mut known,
            "started",
            &json!({"event": "more", "instance": 99, "at": 61.5}),
        );
        insta::assert_snapshot!(known[0].table(1102.0).join("\n"), @"
        event   runs  failed     last    next      p50      p95
        play      20       2  2 s ago  in 3 s  1.000 s  1.900 s
        report     0       0        -       -        -        -
        more    0 +1       0      now       -        -        -
        ");
        tell(&mut known, "finished", &json!({}));
        assert!(known[0].document().over);
        assert_eq!(known[0].document().events[0].p95, Some(1.9));
    }

    #[test]
    fn durations_are_the_newest() {
        use serde_json::json;
        let mut known = Vec::new();
        tell(&mut known, "began", &json!({"events": ["a"]}));
        for instance in 0..3000 {
            let duration = if instance < 2000 { 9.0 } else { 1.0 };
            tell(
                &mut known,
                "started",
                &json!({"event": "a", "instance": instance}),
            );
            tell(
                &mut known,
                "ended",
                &json!({"instance": instance, "ok": true, "duration": duration}),
            );
        }
        assert_eq!(known[0].document().events[0].p95, Some(1.0));
    }

    #[test]
    fn spans() {
        assert_eq!(
            [span(-1.0), span(59.4), span(61.0), span(3723.0)],
            ["0 s", "59 s", "1:01", "1:02:03"]
        );
    }
}
