//! What a sink's worker is told while the run goes on: another sink takes over, or
//! nobody does. It does so between two batches, and answers.

use tokio::sync::{mpsc, oneshot};

use crate::guest::sink::Sink;

/// What to do once the batch at hand is dealt with.
#[derive(Debug)]
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
}

/// Where a worker is told. What is told first is done first.
#[derive(Clone, Debug)]
pub struct Orders(pub(super) mpsc::Sender<Told>);

impl Orders {
    /// Waits until the worker has done it.
    ///
    /// # Errors
    ///
    /// Where the sink goes on as it was, or does nothing any more.
    pub async fn give(&self, order: Order) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        let told = Told { order, answer };
        self.0.send(told).await.map_err(|_| Refused::Over)?;
        answered.await.unwrap_or(Err(Refused::Over))
    }
}

/// The next order; waits for ever where nobody is left to give one.
pub(super) async fn next(orders: &mut mpsc::Receiver<Told>) -> Told {
    match orders.recv().await {
        Some(told) => told,
        None => std::future::pending().await,
    }
}
