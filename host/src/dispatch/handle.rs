//! A running worker, from outside: how it is started, told and watched.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::loss::Loss;
use super::order::{self, Orders};
use super::report::{Phase, Standing};
use super::seat::{self, Seat};
use super::worker::Worker;
use crate::guest::capability::log::LogBudget;
use crate::guest::sink::Sink;
use crate::journal::{Head, Journal};
use crate::topic::{Outlet, Topics};

/// What a worker is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    #[default]
    Go,
    /// End after the call that runs now; the rest stays in the journal.
    Stop,
}

/// A running worker.
#[derive(Debug)]
pub struct SinkHandle {
    /// What it was started with, or took over last.
    pub sink: Sink,
    pub standing: watch::Receiver<Standing>,
    pub orders: Orders,
    control: watch::Sender<Control>,
}

impl SinkHandle {
    /// Asks the worker to end.
    pub fn stop(&self) {
        self.control.send_replace(Control::Stop);
    }
}

/// Starts the worker of `sink` for the run in `journal`; what it publishes goes to `topics`.
///
/// # Errors
///
/// Where no thread can be started.
pub fn spawn(
    sink: Sink,
    journal: Arc<dyn Journal>,
    head: watch::Receiver<Head>,
    topics: Topics,
) -> std::io::Result<SinkHandle> {
    let (control, controlled) = watch::channel(Control::default());
    let (desk, orders) = order::channel();
    let known = journal.standing(&sink.spec.name).unwrap_or_default();
    let first = Standing::new(&sink.spec.name, &known);
    let (standing, watched) = watch::channel(first);
    let log = Arc::new(LogBudget::new(sink.spec.limits.log));
    let outlet = Outlet::new(topics);
    let name = format!("sink {}", sink.spec.name);
    let newest = Arc::new(Mutex::new(sink.clone()));
    let desk = Arc::new(desk);
    let lost = {
        let (newest, journal, standing) =
            (Arc::clone(&newest), Arc::clone(&journal), standing.clone());
        let desk = Arc::clone(&desk);
        move |loss: Loss| {
            let spec = copy(&newest).spec;
            loss.tell(&spec, journal.as_ref(), &standing);
            if loss == Loss::Last {
                desk.close();
            }
        }
    };
    let work = move |seat: &Arc<Seat>| {
        yield_to_tests();
        let worker = Worker {
            sink: copy(&newest),
            newest: Arc::clone(&newest),
            journal: Arc::clone(&journal),
            head: head.clone(),
            control: controlled.clone(),
            orders: desk.open(),
            told: None,
            standing: standing.clone(),
            log: Arc::clone(&log),
            outlet: outlet.clone(),
            seat: Arc::clone(seat),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(worker.run()),
            Err(error) => worker.now(Phase::Failed, Some(format!("no runtime: {error}"))),
        }
    };
    seat::staff(&name, work, lost)?;
    Ok(SinkHandle {
        sink,
        standing: watched,
        orders,
        control,
    })
}

fn copy(sink: &Mutex<Sink>) -> Sink {
    let sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    sink.clone()
}

/// Where there is not enough processor for all, the tests go first. Not before
/// the sinks are loaded: pytest waits for that.
fn yield_to_tests() {
    /// A step or two behind, not starved: sinks are to see events soon.
    const NICE: i32 = 5;
    // Of this thread, on Linux; elsewhere of the process.
    let _ = rustix::process::setpriority_process(None, NICE);
}
