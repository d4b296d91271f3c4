//! A run's messages in order: `startTestRun` before all others, `stopTestRun` after them.

use pytest_host_sdk::{
    Envelope, Event, Opening, Refusal, Session, Undone,
    delivery::{Tried, deliver},
    state::State,
};

use crate::{
    ids::Ids,
    message::Messages,
    post::{Outside, Post},
    prelude::{Prelude, Trigger},
    settings::Settings,
    source::Tests,
};

pub struct Run<S, O> {
    messages: Messages,
    prelude: Prelude<S>,
    tests: Tests<S>,
    post: Post<O>,
}

impl<S: State + Clone, O: Outside> Run<S, O> {
    pub fn new(settings: &Settings, session: Session, why: Opening, state: S, outside: O) -> Self {
        let messages = Messages {
            ids: Ids::new(
                &session,
                settings.job_id.clone(),
                settings.custom_id.clone(),
            ),
            env: settings.env.clone(),
            custom_data: settings.custom_data.clone(),
            job_report: settings.job_report,
        };
        let post = Post {
            endpoint: settings.endpoint(),
            session: session.id.clone(),
            show_errors: settings.show_errors,
            outside,
        };
        Self {
            prelude: Prelude::new(state.clone()),
            tests: Tests::new(session, why, state, messages.clone()),
            messages,
            post,
        }
    }

    pub fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        let mut undone = Vec::new();
        let mut tests = Vec::new();
        let mut collected = Vec::new();
        let mut end = None;
        for envelope in batch {
            let Envelope { seq, time, .. } = envelope;
            match &envelope.event {
                Event::Collected(tests) => self.prelude.announce(tests, &self.messages),
                Event::CollectionFinished(_) => {
                    self.complete(Trigger { seq, time, part: 1 });
                    collected.push(seq);
                }
                Event::CollectFailed((nodeid, failure)) if !self.prelude.is_done() => {
                    let message = self.messages.collection_failed(nodeid, failure, time);
                    let refusal = self.prelude.keep(seq, &message);
                    undone.extend(refusal.map(|why| Undone { seq, why }));
                }
                Event::SessionFinished(_) => end = Some((seq, time)),
                _ => tests.push(envelope),
            }
        }
        undone.extend(collected.into_iter().filter_map(|seq| self.collected(seq)));
        let blocked = undone.iter().find_map(retry);
        undone.extend(self.deliver(tests, blocked));
        if let Some((seq, time)) = end {
            let why = undone.iter().find_map(retry);
            let why = why.or_else(|| self.stop(seq, time));
            undone.extend(why.map(|why| Undone { seq, why }));
        }
        self.prelude.save();
        undone
    }

    fn complete(&mut self, trigger: Trigger) {
        if let Some(line) = self.prelude.complete(trigger) {
            self.post.outside.warn(&line);
        }
    }

    fn start(&mut self) -> Result<(), Refusal> {
        let Self {
            prelude,
            messages,
            post,
            ..
        } = self;
        prelude.send(messages, |seq, part, message| post.one(seq, part, message))
    }

    /// What comes of the event that the tests were complete with. Those of other collections, as xdist workers
    /// may have, come to nothing.
    fn collected(&mut self, seq: u64) -> Option<Undone> {
        let (trigger, _) = self.prelude.outcome();
        if trigger?.seq != seq {
            return None;
        }
        let why = self.start().err().or_else(|| self.rejected(seq));
        why.map(|why| Undone { seq, why })
    }

    /// Why the prelude was rejected, where it was for this event.
    fn rejected(&self, seq: u64) -> Option<Refusal> {
        let (trigger, rejected) = self.prelude.outcome();
        trigger.filter(|trigger| trigger.seq == seq)?;
        rejected.map(|why| Refusal::Reject(why.to_owned()))
    }

    /// Delivers what tests come to; `blocked` says why nothing can leave for now.
    fn deliver(&mut self, batch: Vec<Envelope>, blocked: Option<Refusal>) -> Vec<Undone> {
        let Some(Envelope { seq, time, .. }) = batch.first() else {
            return vec![];
        };
        // Where the word that all tests are known was lost.
        let belated = Trigger {
            seq: *seq,
            time: *time,
            part: 0,
        };
        let Self {
            prelude,
            messages,
            tests,
            post,
        } = self;
        let at_once = post.endpoint.concurrency;
        deliver(tests, batch, at_once.into(), |parcels| {
            if let Some(line) = prelude.complete(belated) {
                post.outside.warn(&line);
            }
            let why = blocked.clone().or_else(|| {
                let send = |seq, part, message| post.one(seq, part, message);
                prelude.send(messages, send).err()
            });
            if why.is_some() {
                return Tried::Stop(vec![why; parcels.len()]);
            }
            post.all(
                parcels
                    .iter()
                    .map(|parcel| (parcel.seq, parcel.part, parcel.item.clone())),
            )
        })
    }

    fn stop(&mut self, seq: u64, time: f64) -> Option<Refusal> {
        self.complete(Trigger { seq, time, part: 1 });
        if let Err(why) = self.start() {
            return Some(why);
        }
        let (trigger, _) = self.prelude.outcome();
        let part = if trigger.is_some_and(|trigger| trigger.seq == seq) {
            2
        } else {
            1
        };
        let stopped = self.post.one(seq, part, self.messages.run_stopped(time));
        stopped.or_else(|| self.rejected(seq))
    }
}

/// Why an event is to come again, where it is.
fn retry(undone: &Undone) -> Option<Refusal> {
    match &undone.why {
        why @ Refusal::Retry(_) => Some(why.clone()),
        Refusal::Reject(_) => None,
    }
}

#[cfg(test)]
mod tests;
