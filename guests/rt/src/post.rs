//! Posting messages, and saying what could not be posted.

use pytest_host_sdk::{
    Refusal,
    delivery::Tried,
    http::{self, Endpoint, Error, Request, Response},
    log,
};

use crate::message::Message;

/// What a user who does not want to see errors is told.
const UNSAID: &str = "not delivered";

/// What is out there: the host, or a stand-in in a native test.
pub trait Outside {
    fn send(&mut self, requests: &[Request], at_once: u32) -> Vec<Result<Response, Error>>;
    fn warn(&mut self, line: &str);
}

#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Outside for Host {
    fn send(&mut self, requests: &[Request], at_once: u32) -> Vec<Result<Response, Error>> {
        http::send(requests, at_once)
    }

    fn warn(&mut self, line: &str) {
        log::warning(line);
    }
}

#[derive(Debug)]
pub struct Post<O> {
    pub endpoint: Endpoint,
    pub session: String,
    pub show_errors: bool,
    pub outside: O,
}

impl<O: Outside> Post<O> {
    /// Posts messages, each with the event that it is for and which of the event's messages it is.
    pub fn all(&mut self, messages: impl Iterator<Item = (u64, usize, Message)>) -> Tried {
        let (requests, about): (Vec<_>, Vec<_>) = messages
            .map(|(seq, part, message)| {
                let key = key(&self.session, seq, part);
                (self.endpoint.post(message.json, key), message.about)
            })
            .unzip();
        let answers = self
            .outside
            .send(&requests, self.endpoint.concurrency.into());
        let tried = self.endpoint.tried(&answers);
        let (Tried::Each(refusals) | Tried::Stop(refusals)) = &tried;
        for (refusal, about) in refusals.iter().zip(about) {
            if let Some(Refusal::Retry((_, reason)) | Refusal::Reject(reason)) = refusal
                && self.show_errors
            {
                self.outside.warn(&format!("{about}: {reason}"));
            }
        }
        match tried {
            _ if self.show_errors => tried,
            Tried::Each(refusals) => Tried::Each(refusals.into_iter().map(unsaid).collect()),
            Tried::Stop(refusals) => Tried::Stop(refusals.into_iter().map(unsaid).collect()),
        }
    }

    pub fn one(&mut self, seq: u64, part: usize, message: Message) -> Option<Refusal> {
        match self.all([(seq, part, message)].into_iter()) {
            Tried::Each(refusals) | Tried::Stop(refusals) => refusals.into_iter().flatten().next(),
        }
    }
}

fn unsaid(refusal: Option<Refusal>) -> Option<Refusal> {
    Some(match refusal? {
        Refusal::Retry((after, _)) => Refusal::Retry((after, UNSAID.to_owned())),
        Refusal::Reject(_) => Refusal::Reject(UNSAID.to_owned()),
    })
}

/// Equal for one message, however often it is sent.
fn key(session: &str, seq: u64, part: usize) -> String {
    match part {
        1 => format!("{session}-{seq}"),
        _ => format!("{session}-{seq}-{part}"),
    }
}
