//! The sink `relay`: sessions and testcases as JSON, each message a full snapshot, to the subscribers of a topic
//! and to a WebSocket server.
//!
//! | file | for |
//! |---|---|
//! | `message.rs` | what the messages say |
//! | `record.rs` | what they say of a report or a warning |
//! | `text.rs` | how times, folders and warnings are written |
//! | `ids.rs` | what runs and records are called |
//! | `suite.rs` | what is known of the session: its tests, its records, how far it came |
//! | `cases.rs` | what is known of tests under way, and of those that ended last |
//! | `script.rs` | what an event comes to |
//! | `run.rs` | in which order it leaves, and what becomes of it where it cannot |
//! | `outlet.rs` | where it goes |
//!
//! Delivery is at least once. What was sent and may not have arrived comes again, with the same ids.

mod cases;
mod ids;
mod message;
mod outlet;
mod record;
mod run;
mod script;
mod settings;
mod suite;
mod text;
#[cfg(test)]
mod workbench;

use pytest_host_sdk::{
    Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone, state::HostState,
};

use outlet::Host;
use run::Run;
use settings::Settings;

pytest_host_sdk::export!(Relay);

struct Relay(Run<HostState, Host>);

impl Sink for Relay {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        let server = settings.server()?;
        Ok(server.map(Need::Http).into_iter().collect())
    }

    fn open(settings: &Settings, session: Session, _why: Opening) -> Result<Self, String> {
        Ok(Self(Run::new(settings, session, HostState, Host)))
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        self.0.handle(batch)
    }
}
