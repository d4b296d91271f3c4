//! `topics`: messages to subscribers. Where a host has no live API nobody can
//! subscribe, so a message ends here, as it does before a session is open.

use crate::guest::bindings::topics::Host;
use crate::guest::store::GuestData;

impl Host for GuestData {
    fn publish(&mut self, topic: String, message: String) {
        match &self.publisher {
            Some(publisher) => publisher.publish(&topic, message),
            None => {
                tracing::trace!(sink = %self.sink, topic, bytes = message.len(), "published to no subscriber");
            }
        }
    }
}
