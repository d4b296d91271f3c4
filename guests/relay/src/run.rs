//! In which order messages leave, and what becomes of events whose messages cannot.
//!
//! Messages leave in the order of the events. What is known of the tests is changed with what has arrived and
//! taken back otherwise, so that an event that comes again comes to the same messages.

use std::time::{Duration, Instant};

use pytest_host_sdk::{Envelope, Refusal, Session, Undone, state::State, websocket};

use crate::{
    message::GREETING,
    outlet::Outlet,
    script::{Line, Script, comes_to_something},
    settings::Settings,
};

/// Bytes of messages that leave together, once there are as many.
const TOGETHER: usize = 512 << 10;
/// A message of which there need not be several in a row.
const LARGE: usize = 64 << 10;
/// How long nothing is tried where it did not work.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Run<S, O> {
    script: Script<S>,
    server: Option<String>,
    outlet: O,
    /// Not to be tried again before, and why.
    pause: Option<(Instant, String)>,
}

/// Events, and the messages that they come to.
#[derive(Default)]
struct Parcel {
    /// Each with how many messages there are up to and including its own.
    events: Vec<(Envelope, usize)>,
    messages: Vec<String>,
    bytes: usize,
    /// The last message may give way to one that follows at once.
    passing: bool,
}

impl Parcel {
    fn add(&mut self, envelope: Envelope, lines: Vec<Line>) {
        for line in lines {
            self.bytes += line.json.len();
            let may_give_way = std::mem::replace(&mut self.passing, line.passing);
            match self.messages.last_mut() {
                Some(last) if may_give_way && line.passing && last.len() > LARGE => {
                    self.bytes -= last.len();
                    *last = line.json;
                }
                _ => self.messages.push(line.json),
            }
        }
        self.events.push((envelope, self.messages.len()));
    }
}

impl<S: State + Clone, O: Outlet> Run<S, O> {
    pub fn new(settings: &Settings, session: Session, state: S, outlet: O) -> Self {
        Self {
            script: Script::new(settings, session, state),
            server: settings.ws_url.clone(),
            outlet,
            pause: None,
        }
    }

    pub fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        for envelope in &batch {
            if let Some(line) = self.script.learn(envelope) {
                self.outlet.warn(&line);
            }
        }
        let mut undone = Vec::new();
        let mut refusal = self.paused();
        let mut parcel = Parcel::default();
        for envelope in batch {
            if let Some(why) = &refusal {
                refuse(envelope, why, &mut undone);
                continue;
            }
            let lines = self.script.tell(&envelope);
            parcel.add(envelope, lines);
            if parcel.bytes > TOGETHER {
                refusal = self.leave(std::mem::take(&mut parcel), &mut undone);
            }
        }
        if refusal.is_none() {
            self.leave(parcel, &mut undone);
        }
        self.script.save();
        undone
    }

    fn paused(&self) -> Option<Refusal> {
        let (until, why) = self.pause.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| Refusal::Retry((left.as_secs_f64(), why.clone())))
    }

    /// Sends a parcel; says why what follows it cannot leave now.
    fn leave(&mut self, parcel: Parcel, undone: &mut Vec<Undone>) -> Option<Refusal> {
        let Parcel {
            events, messages, ..
        } = parcel;
        let Err((delivered, error)) = self.send(&messages) else {
            self.script.commit();
            for message in &messages {
                self.outlet.publish(message);
            }
            return None;
        };
        self.script.rollback();
        let mut events = events.into_iter().peekable();
        let arrived = std::iter::from_fn(|| events.next_if(|(_, end)| *end <= delivered));
        let arrived: Vec<Envelope> = arrived.map(|(envelope, _)| envelope).collect();
        for envelope in &arrived {
            for line in self.script.tell(envelope) {
                self.outlet.publish(&line.json);
            }
        }
        self.script.commit();
        let why = websocket::refusal(&error);
        if let Refusal::Retry((_, reason)) = &why {
            self.pause = Some((Instant::now() + PAUSE, reason.clone()));
        }
        for (envelope, _) in events {
            refuse(envelope, &why, undone);
        }
        Some(why)
    }

    fn send(&mut self, messages: &[String]) -> Result<(), (usize, websocket::Error)> {
        let Some(url) = self.server.as_deref().filter(|_| !messages.is_empty()) else {
            return Ok(());
        };
        let sent = self.outlet.send(url, &[GREETING.to_owned()], messages);
        sent.map_err(|undelivered| {
            let delivered = usize::try_from(undelivered.delivered).unwrap_or(usize::MAX);
            (delivered, undelivered.why)
        })
    }
}

/// Where an event comes to nothing, there is nothing to refuse.
fn refuse(envelope: Envelope, why: &Refusal, undone: &mut Vec<Undone>) {
    if comes_to_something(&envelope.event) {
        undone.push(Undone {
            seq: envelope.seq,
            why: why.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
