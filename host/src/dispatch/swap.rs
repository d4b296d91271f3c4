//! Another sink takes over, or none: between two batches, and where nothing could
//! be opened. Where the new one does not open, everything is as it was.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::ending::Ending;
use super::order::{self, Answer, Order, Refused, Told};
use super::outbox::Outbox;
use super::report::Phase;
use super::worker::{Desk, Worker};
use crate::clock;
use crate::guest::bindings::events::Session;
use crate::guest::bindings::exported::Opening;
use crate::guest::instance::Instance;
use crate::guest::sink::Sink;
use crate::journal::{JournalError, Progress};

impl Worker {
    /// Whether there is an order to be carried out before the next batch.
    pub(super) fn is_told(&mut self) -> bool {
        if self.told.is_none() {
            self.told = order::given(&mut self.orders);
        }
        self.told.is_some()
    }

    /// Carries orders out between two batches: every event is settled, or will be
    /// offered by whoever goes on.
    pub(super) async fn obey(&mut self, mut desk: Desk) -> Result<Desk, Ending> {
        while self.is_told() {
            let Some(Told { order, answer, .. }) = self.told.take() else {
                break;
            };
            let outcome = match order {
                Order::Swap(new) => self.swap(&mut desk, *new).await,
                Order::Remove => {
                    return Err(self.remove(Some(&mut desk.instance), answer).await);
                }
            };
            let _ = answer.send(outcome);
            self.check_control()?;
        }
        Ok(desk)
    }

    /// Carries orders out where the sink's own instance would not open; answers with
    /// another one's.
    pub(super) async fn obey_unopened(
        &mut self,
        session: &Session,
        state: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Option<Instance>, Ending> {
        while self.is_told() {
            let Some(Told { order, answer, .. }) = self.told.take() else {
                break;
            };
            let outcome = match order {
                Order::Swap(new) => self.take_over(*new, session, state).await,
                Order::Remove => {
                    return Err(self.remove(None, answer).await);
                }
            };
            match outcome {
                Ok(instance) => {
                    let _ = answer.send(Ok(()));
                    return Ok(Some(instance));
                }
                Err(refused) => {
                    let _ = answer.send(Err(refused));
                }
            }
            self.check_control()?;
        }
        Ok(None)
    }

    /// Waits, once the sink was given up on, for one that does better.
    pub(super) async fn revived(&mut self) -> Result<Desk, Ending> {
        loop {
            while !self.is_told() {
                tokio::select! {
                    told = order::next(&mut self.orders) => self.told = Some(told),
                    changed = self.control.changed() => {
                        changed.map_err(|_| Ending::Stopped)?;
                        self.check_control()?;
                    }
                }
            }
            let Some(Told { order, answer, .. }) = self.told.take() else {
                continue;
            };
            match order {
                Order::Swap(new) => match self.revive(*new).await {
                    Ok(desk) => {
                        let _ = answer.send(Ok(()));
                        return Ok(desk);
                    }
                    Err(refused) => {
                        let _ = answer.send(Err(refused));
                    }
                },
                Order::Remove => {
                    return Err(self.remove(None, answer).await);
                }
            }
        }
    }

    async fn swap(&mut self, desk: &mut Desk, new: Sink) -> Result<(), Refused> {
        if new.is_same_as(&self.sink) {
            // It was changed, and changed back before its turn came.
            return Ok(());
        }
        self.keep_writes(desk).map_err(|error| bad(&error))?;
        let known = self.journal.standing(&self.sink.spec.name);
        let state = known.map_err(|error| bad(&error))?.state;
        desk.instance = self.take_over(new, &desk.session, &state).await?;
        desk.outbox.hurry(clock::now());
        Ok(())
    }

    async fn revive(&mut self, new: Sink) -> Result<Desk, Refused> {
        let known = self.journal.standing(&self.sink.spec.name);
        let known = known.map_err(|error| bad(&error))?;
        let session = self.session().await.ok().flatten().ok_or(Refused::Over)?;
        let instance = self.take_over(new, &session, &known.state).await?;
        let mut outbox = Outbox::new(known.cursor, known.pending);
        outbox.hurry(clock::now());
        // It is not given up on any more.
        self.commit(&mut outbox, &Progress::default())
            .map_err(|error| bad(&error))?;
        Ok(Desk {
            instance,
            outbox,
            session,
        })
    }

    /// Opens `new` beside what there is. From when it has opened on, it is the sink:
    /// for whoever delivers later, too.
    async fn take_over(
        &mut self,
        new: Sink,
        session: &Session,
        state: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Instance, Refused> {
        let opened = self.try_open(&new, session, Opening::Swapped, state).await;
        let problem = match opened {
            Ok(Ok(instance)) => {
                self.install(new)?;
                return Ok(instance);
            }
            Ok(Err(problem)) => problem,
            Err(error) => error.to_string(),
        };
        Err(Refused::Bad(format!("cannot be opened: {problem}")))
    }

    /// From here on `new` is the sink, here and in the journal.
    fn install(&mut self, new: Sink) -> Result<(), Refused> {
        // Another thread goes on with the one before.
        let held = self.seat.hold().ok_or(Refused::Over)?;
        self.journal
            .register(&new.spec)
            .map_err(|error| bad(&error))?;
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&new);
        drop(held);
        self.sink = new;
        tracing::info!(sink = %self.sink.spec.name, "another module or other settings took over");
        self.standing.send_modify(|standing| {
            standing.phase = Phase::Working;
            standing.swapped();
        });
        Ok(())
    }

    /// What an instance wrote to `state` when it opened, and has had no batch since
    /// to be committed with.
    fn keep_writes(&self, desk: &mut Desk) -> Result<(), JournalError> {
        let state = desk.instance.state_writes();
        if state.is_empty() {
            return Ok(());
        }
        let progress = Progress {
            error: self.standing.borrow().error.clone(),
            state,
            ..Progress::default()
        };
        self.commit(&mut desk.outbox, &progress)?;
        desk.instance.state_committed();
        Ok(())
    }

    /// Takes the sink out of the run, and says whether that went well.
    async fn remove(&self, instance: Option<&mut Instance>, answer: Answer) -> Ending {
        let removed = self.close_early(instance).await;
        let _ = answer.send(removed.as_ref().copied().map_err(bad));
        match removed {
            Ok(()) => Ending::Removed,
            Err(error) => error.into(),
        }
    }

    /// What waits to be delivered again is set aside.
    async fn close_early(&self, instance: Option<&mut Instance>) -> Result<(), JournalError> {
        let name = &self.sink.spec.name;
        let known = self.journal.standing(name)?;
        let mut outbox = Outbox::new(known.cursor, known.pending);
        let mut progress = outbox.abandon(clock::now());
        let first = progress.dead.first().map(|letter| letter.why.clone());
        progress.error = first.or_else(|| self.standing.borrow().error.clone());
        if let Some(instance) = instance {
            match instance.close().await {
                Ok(Ok(())) => progress.state = instance.state_writes(),
                Ok(Err(problem)) => tracing::warn!(sink = %name, "close: {problem}"),
                Err(error) => tracing::warn!(sink = %name, "close: {error}"),
            }
        }
        self.commit(&mut outbox, &progress)
    }
}

fn bad(error: &JournalError) -> Refused {
    Refused::Bad(error.to_string())
}

#[cfg(test)]
mod tests;
