//! What is said on `/ws`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::topic::Message;

/// What a client says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromClient {
    /// Answered with `snapshot`, `resumed` or `error`.
    Subscribe {
        topic: String,
        /// The first number that was not seen, to go on from there.
        #[serde(default)]
        from: Option<u64>,
        /// What the numbers belong to that were seen; without it they are believed.
        #[serde(default)]
        epoch: Option<String>,
    },
    /// Answered with `unsubscribed`. What was on its way may still come before that.
    Unsubscribe { topic: String },
    /// Answered with `pong`.
    Ping {},
}

/// Where a topic is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Snapshot<'a> {
    pub topic: &'a str,
    /// What the numbers belong to: another one where they begin again.
    pub epoch: &'a str,
    /// The next delta has the number after this.
    pub seq: u64,
}

/// What the host says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromHost<'a> {
    /// The state now; deltas follow.
    Snapshot {
        #[serde(flatten)]
        at: Snapshot<'a>,
        /// The client wanted to go on, and what was in between is not to be had.
        gap: bool,
        /// Null on a guest's topic.
        #[schema(value_type = Option<serde_json::Value>)]
        payload: Option<&'a RawValue>,
    },
    /// The client goes on from where it wanted to: deltas follow.
    Resumed(Snapshot<'a>),
    /// What changes the state, or what a guest published.
    Delta {
        topic: &'a str,
        epoch: &'a str,
        /// One more than that of the one before.
        seq: u64,
        #[schema(value_type = serde_json::Value)]
        payload: Payload<'a>,
    },
    Unsubscribed {
        topic: &'a str,
    },
    Pong {},
    /// What was asked for is not done; the connection goes on.
    Error {
        topic: Option<&'a str>,
        message: &'a str,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Payload<'a> {
    OfHost(&'a RawValue),
    OfGuest(Published<'a>),
}

/// What a guest published.
#[derive(Debug, Serialize, ToSchema)]
pub struct Published<'a> {
    pub sink: &'a str,
    pub run: &'a str,
    /// As the guest has it.
    pub text: &'a str,
}

/// A message of a topic as it is sent.
pub fn wrap(message: &Message) -> String {
    let payload = match &message.source {
        Some(source) => Payload::OfGuest(Published {
            sink: &source.sink,
            run: &source.run,
            text: &message.text,
        }),
        None => match serde_json::from_str(&message.text) {
            Ok(raw) => Payload::OfHost(raw),
            Err(_) => Payload::OfHost(RawValue::NULL),
        },
    };
    let delta = FromHost::Delta {
        topic: &message.topic,
        epoch: &message.epoch,
        seq: message.seq,
        payload,
    };
    serde_json::to_string(&delta).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::{Limits, Source, Start, Topics};

    #[test]
    fn what_clients_say_is_understood() {
        let read = |text: &str| serde_json::from_str::<FromClient>(text);
        let subscribe = read(r#"{"type":"subscribe","topic":"runs","from":3}"#).unwrap();
        let FromClient::Subscribe { topic, from, epoch } = subscribe else {
            panic!("it is");
        };
        assert_eq!((topic.as_str(), from, epoch), ("runs", Some(3), None));
        assert!(read(r#"{"type":"ping","id":1}"#).is_ok());
        assert!(read(r#"{"type":"subscribe"}"#).is_err());
        assert!(read(r#"{"type":"subscribe","topic":"runs","from":-1}"#).is_err());
    }

    #[test]
    fn a_guests_text_is_kept_as_it_is_and_the_hosts_is_json() {
        let topics = Topics::new(Limits::default());
        let source = Source {
            sink: "mine".into(),
            run: "r1".into(),
        };
        topics.publish("t", Some(&source), r#"{"a":1"#).unwrap();
        topics.publish("t", None, r#"{"put":[]}"#).unwrap();
        let mut subscription = topics
            .subscribe("t", Start::From(1), std::sync::Arc::default())
            .unwrap();
        let texts: Vec<String> = subscription
            .take(9)
            .unwrap()
            .iter()
            .map(|message| wrap(message))
            .collect();
        let epoch = subscription.epoch();
        assert_eq!(
            texts,
            [
                format!(
                    r#"{{"type":"delta","topic":"t","epoch":"{epoch}","seq":1,"payload":{{"sink":"mine","run":"r1","text":"{{\"a\":1"}}}}"#
                ),
                format!(
                    r#"{{"type":"delta","topic":"t","epoch":"{epoch}","seq":2,"payload":{{"put":[]}}}}"#
                ),
            ]
        );
    }
}
