//! Where messages go: to a server, where the settings name one, and then to the topic.

use pytest_host_sdk::{
    log, topics,
    websocket::{self, Undelivered},
};

/// What subscribers of the host's API ask for.
const TOPIC: &str = "relay";

/// What is out there: the host, or a stand-in in a native test.
pub trait Outlet {
    fn send(
        &mut self,
        url: &str,
        greeting: &[String],
        messages: &[String],
    ) -> Result<(), Undelivered>;
    fn publish(&mut self, message: &str);
    fn warn(&mut self, line: &str);
}

#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Outlet for Host {
    fn send(
        &mut self,
        url: &str,
        greeting: &[String],
        messages: &[String],
    ) -> Result<(), Undelivered> {
        websocket::send(url, greeting, messages)
    }

    fn publish(&mut self, message: &str) {
        topics::publish(TOPIC, message);
    }

    fn warn(&mut self, line: &str) {
        log::warning(line);
    }
}
