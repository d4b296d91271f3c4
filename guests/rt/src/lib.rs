//! The sink `rt`: a POST of JSON for the start and the end of a run and of each of its tests.
//!
//! | file | for |
//! |---|---|
//! | `message.rs` | what the messages say |
//! | `ids.rs` | what runs and tests are called in them |
//! | `prelude.rs` | those that a run begins with, kept until all tests are known |
//! | `source.rs` | which events of a test have messages |
//! | `run.rs` | in which order they leave |
//! | `post.rs` | how they leave, and what is said of those that cannot |
//!
//! Delivery is at least once: a receiver that minds counts a message once by its `Idempotency-Key`.

mod ids;
mod message;
mod post;
mod prelude;
mod run;
mod settings;
mod source;
#[cfg(test)]
mod workbench;

use pytest_host_sdk::{
    Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone, state::HostState,
};

use post::Host;
use run::Run;
use settings::Settings;

pytest_host_sdk::export!(Rt);

struct Rt(Run<HostState, Host>);

impl Sink for Rt {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<Vec<Need>, Misconfiguration> {
        Ok(vec![Need::Http(settings.endpoint().check()?)])
    }

    fn open(settings: &Settings, session: Session, why: Opening) -> Result<Self, String> {
        Ok(Self(Run::new(settings, session, why, HostState, Host)))
    }

    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        self.0.handle(batch)
    }
}
