//! What a sink's worker is told while the run goes on: another sink takes over, or
//! nobody does. It does so between two batches, and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::guest::sink::Sink;

/// What to do once the batch at hand is dealt with.
#[derive(Clone, Debug)]
pub enum Order {
    /// Go on with this one: the same name, another module or other settings.
    Swap(Box<Sink>),
    /// End, without the rest of the run.
    Remove,
}

/// Why a sink went on as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Reads on after the sink's name and a colon.
    #[error("{0}")]
    Bad(String),
    #[error("it gets nothing more of the run")]
    Over,
}

/// Where to say what became of an order.
pub type Answer = oneshot::Sender<Result<(), Refused>>;

/// An order that was given.
#[derive(Debug)]
pub struct Told {
    pub order: Order,
    pub answer: Answer,
    /// A thread has begun with it.
    begun: Arc<AtomicBool>,
}

impl Told {
    fn begin(self) -> Self {
        self.begun.store(true, Ordering::Relaxed);
        self
    }
}

/// To the thread that works now; none where the first one has yet to begin.
type Line = Option<mpsc::Sender<Told>>;

/// Where a worker is told. What is told first is done first.
#[derive(Clone, Debug)]
pub struct Orders(watch::Receiver<Line>);

/// Where the threads of a worker are told, each in a channel of its own: one that is
/// stuck keeps what it was told.
#[derive(Debug)]
pub(super) struct OrderDesk(watch::Sender<Line>);

/// For the threads of one worker, and for whoever has orders for them.
pub(super) fn channel() -> (OrderDesk, Orders) {
    let (desk, orders) = watch::channel(None);
    (OrderDesk(desk), Orders(orders))
}

impl OrderDesk {
    /// For a thread that begins: what is told from now on, and what was told and not
    /// begun with.
    pub fn open(&self) -> mpsc::Receiver<Told> {
        let (sender, receiver) = mpsc::channel(1);
        self.0.send_replace(Some(sender));
        receiver
    }

    /// Nobody will carry orders out any more.
    pub fn close(&self) {
        drop(self.open());
    }
}

impl Orders {
    /// Waits until the worker has done it.
    ///
    /// # Errors
    ///
    /// Where the sink goes on as it was, or does nothing any more.
    pub async fn give(&self, order: Order) -> Result<(), Refused> {
        let mut desk = self.0.clone();
        loop {
            let line = desk.borrow_and_update().clone();
            let begun = Arc::new(AtomicBool::new(false));
            let given = give(line, order.clone(), Arc::clone(&begun));
            tokio::select! {
                outcome = given => return outcome,
                Ok(()) = desk.changed() => {}
            }
            if begun.load(Ordering::Relaxed) {
                let why = "its thread did not come back from it, and another one goes on as before";
                return Err(Refused::Bad(why.to_owned()));
            }
        }
    }
}

async fn give(line: Line, order: Order, begun: Arc<AtomicBool>) -> Result<(), Refused> {
    let Some(sender) = line else {
        return std::future::pending().await;
    };
    let (answer, answered) = oneshot::channel();
    let told = Told {
        order,
        answer,
        begun,
    };
    sender.send(told).await.map_err(|_| Refused::Over)?;
    answered.await.unwrap_or(Err(Refused::Over))
}

/// The next order, if one was given.
pub(super) fn given(orders: &mut mpsc::Receiver<Told>) -> Option<Told> {
    orders.try_recv().ok().map(Told::begin)
}

/// The next order; waits for ever where nobody is left to give one.
pub(super) async fn next(orders: &mut mpsc::Receiver<Told>) -> Told {
    match orders.recv().await {
        Some(told) => told.begin(),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn done(answered: tokio::task::JoinHandle<Result<(), Refused>>) -> Result<(), Refused> {
        answered.await.unwrap()
    }

    fn give(orders: &Orders) -> tokio::task::JoinHandle<Result<(), Refused>> {
        let orders = orders.clone();
        tokio::spawn(async move { orders.give(Order::Remove).await })
    }

    #[tokio::test]
    async fn an_order_waits_for_the_first_thread() {
        let (desk, orders) = channel();
        let waiting = give(&orders);
        tokio::task::yield_now().await;
        let mut told = desk.open();
        let _ = next(&mut told).await.answer.send(Ok(()));
        assert_eq!(done(waiting).await, Ok(()));
    }

    #[tokio::test]
    async fn what_a_stuck_thread_has_not_begun_with_is_for_the_next() {
        let (desk, orders) = channel();
        let stuck = desk.open();
        let waiting = give(&orders);
        tokio::task::yield_now().await;
        let mut told = desk.open();
        let _ = next(&mut told).await.answer.send(Ok(()));
        assert_eq!(done(waiting).await, Ok(()));
        drop(stuck);
    }

    #[tokio::test]
    async fn what_a_thread_gets_stuck_with_is_not_tried_again() {
        let (desk, orders) = channel();
        let mut stuck = desk.open();
        let waiting = give(&orders);
        let begun = next(&mut stuck).await;
        let mut told = desk.open();
        assert!(matches!(done(waiting).await, Err(Refused::Bad(_))));
        assert!(given(&mut told).is_none());
        drop(begun);
    }

    #[tokio::test]
    async fn nobody_obeys_where_all_threads_are_gone() {
        let (desk, orders) = channel();
        let stuck = desk.open();
        let waiting = give(&orders);
        tokio::task::yield_now().await;
        desk.close();
        assert_eq!(done(waiting).await, Err(Refused::Over));
        drop(stuck);
    }
}
