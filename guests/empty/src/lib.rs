//! A sink that takes every event and does nothing: what it costs is what any sink costs.

use pytest_host_sdk::{Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone};
use serde::Deserialize;

pytest_host_sdk::export!(Empty);

/// Any: it is given those of the sink that it stands beside.
#[derive(Deserialize)]
struct Settings {}

struct Empty;

impl Sink for Empty {
    type Settings = Settings;

    fn configure(_settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        Ok(vec![])
    }

    fn open(_settings: &Settings, _session: Session, _why: Opening) -> Result<Self, String> {
        Ok(Self)
    }

    fn handle(&mut self, _batch: Vec<Envelope>) -> Vec<Undone> {
        vec![]
    }
}
