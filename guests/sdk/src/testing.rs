//! Stands in for the host in native tests: what a sink asks of the host is kept here, a thread's own, and
//! answered from here; [`Driven`] calls a sink as the host does.
//!
//! ```
//! use pytest_host_sdk::{
//!     Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone,
//!     events::Verdict, samples, serde_json::json, state, testing::Driven,
//! };
//!
//! struct Counter;
//!
//! impl Sink for Counter {
//!     type Settings = pytest_host_sdk::serde_json::Value;
//!     fn configure(_: &Self::Settings) -> Result<Vec<Need>, Misconfiguration> { Ok(vec![]) }
//!     fn open(_: &Self::Settings, _: Session, _: Opening) -> Result<Self, String> { Ok(Self) }
//!     fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
//!         let count: usize = state::load("count").unwrap().unwrap_or(0);
//!         state::store("count", &(count + batch.len())).unwrap();
//!         vec![]
//!     }
//! }
//!
//! let mut sink = Driven::<Counter>::open(&json!({})).unwrap();
//! sink.handle(samples::numbered([samples::started("a"), samples::finished("a", Verdict::Passed)]));
//! // The host is killed before it has written down that the batch was handled: it comes again.
//! sink.restart_before_the_last_batch();
//! sink.handle_again();
//! assert_eq!(state::load::<usize>("count").unwrap(), Some(2));
//! ```

use std::{cell::RefCell, collections::HashMap, fmt, rc::Rc};

use crate::{
    Envelope, Misconfiguration, Need, Opening, Session, Sink, Undone,
    bindings::pytest_host::sinks::{
        events::Level,
        http::{Error, Request, Response},
        websocket::Undelivered,
    },
    parse_settings, samples,
    state::State,
};

type Answer = Rc<dyn Fn(&Request) -> Result<Response, Error>>;

#[derive(Default)]
struct Kept {
    values: HashMap<String, Vec<u8>>,
    requests: Vec<Request>,
    logged: Vec<String>,
    published: Vec<(String, String)>,
    messages: Vec<(String, String)>,
    answer: Option<Answer>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

fn kept<T>(with: impl FnOnce(&mut Kept) -> T) -> T {
    KEPT.with_borrow_mut(with)
}

/// What the host of this thread was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Host;

/// The host of this thread.
pub fn host() -> Host {
    Host
}

impl Host {
    /// Forgets everything.
    pub fn reset(self) {
        kept(|kept| *kept = Kept::default());
    }

    /// Answers requests from now on; without it they are answered with 200 and nothing.
    pub fn answer(self, answer: impl Fn(&Request) -> Result<Response, Error> + 'static) {
        kept(|kept| kept.answer = Some(Rc::new(answer)));
    }

    /// Likewise, with this status each.
    pub fn answer_with(self, status: u16) {
        self.answer(move |_| Ok(response(status)));
    }

    /// Every request so far, in order.
    pub fn requests(self) -> Vec<Request> {
        kept(|kept| kept.requests.clone())
    }

    /// Lines of the log so far, each behind its level.
    pub fn logged(self) -> Vec<String> {
        kept(|kept| kept.logged.clone())
    }

    /// Messages on topics so far, with their topics.
    pub fn published(self) -> Vec<(String, String)> {
        kept(|kept| kept.published.clone())
    }

    /// Messages over WebSockets so far, with their URLs.
    pub fn messages(self) -> Vec<(String, String)> {
        kept(|kept| kept.messages.clone())
    }
}

fn response(status: u16) -> Response {
    Response {
        status,
        headers: vec![],
        body: vec![],
    }
}

pub(crate) fn write(level: Level, message: &str) {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    kept(|kept| kept.logged.push(format!("{level}: {message}")));
}

/// [`crate::http::send`] without a host.
pub fn send(requests: &[Request], _in_flight: u32) -> Vec<Result<Response, Error>> {
    let answer = kept(|kept| {
        kept.requests.extend_from_slice(requests);
        kept.answer.clone()
    });
    let answered = |request| match &answer {
        Some(answer) => answer(request),
        None => Ok(response(200)),
    };
    requests.iter().map(answered).collect()
}

/// [`crate::websocket::send`] without a host.
///
/// # Errors
///
/// None: every message is read.
pub fn send_messages(
    url: &str,
    _greeting: &[String],
    messages: &[String],
) -> Result<(), Undelivered> {
    let told = messages.iter().map(|text| (url.to_owned(), text.clone()));
    kept(|kept| kept.messages.extend(told));
    Ok(())
}

/// [`crate::topics::publish`] without a host.
pub fn publish(topic: &str, message: &str) {
    kept(|kept| kept.published.push((topic.to_owned(), message.to_owned())));
}

pub(crate) mod state {
    use super::kept;

    pub fn get(key: &str) -> Option<Vec<u8>> {
        kept(|kept| kept.values.get(key).cloned())
    }

    pub fn set(key: &str, value: &[u8]) {
        kept(|kept| kept.values.insert(key.to_owned(), value.to_owned()));
    }

    pub fn delete(key: &str) {
        kept(|kept| kept.values.remove(key));
    }
}

/// A state apart from that of this thread's host: what a sink leaves in it, its successor finds in a clone.
#[derive(Clone, Debug, Default)]
pub struct Shared(pub Rc<RefCell<HashMap<String, Vec<u8>>>>);

impl State for Shared {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&mut self, key: &str, value: &[u8]) {
        self.0.borrow_mut().insert(key.to_owned(), value.to_owned());
    }

    fn delete(&mut self, key: &str) {
        self.0.borrow_mut().remove(key);
    }
}

/// A sink that is called as the host calls it.
pub struct Driven<S: Sink> {
    settings: S::Settings,
    session: Session,
    sink: S,
    /// As it was before the last batch.
    committed: HashMap<String, Vec<u8>>,
    last: Vec<Envelope>,
}

/// Why a sink cannot be driven.
#[derive(Debug)]
pub enum Refused {
    Settings(Misconfiguration),
    Open(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(Misconfiguration {
                key: Some(key),
                problem,
            }) => {
                write!(f, "{key}: {problem}")
            }
            Self::Settings(wrong) => f.write_str(&wrong.problem),
            Self::Open(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Refused {}

/// What a sink asks for with its table in the configuration.
///
/// # Errors
///
/// What is wrong with that.
pub fn needs<S: Sink>(settings: &serde_json::Value) -> Result<Vec<Need>, Misconfiguration> {
    S::configure(&parse_settings(&settings.to_string())?)
}

impl<S: Sink> Driven<S> {
    /// Configures a sink with its table in the configuration and opens the session of
    /// [`samples::session`]; what this thread's host was asked before is forgotten.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings, or why it does not open.
    pub fn open(settings: &serde_json::Value) -> Result<Self, Refused> {
        let answer = kept(|kept| kept.answer.take());
        host().reset();
        kept(|kept| kept.answer = answer);
        let settings = parse_settings::<S::Settings>(&settings.to_string());
        let settings = settings.map_err(Refused::Settings)?;
        S::configure(&settings).map_err(Refused::Settings)?;
        let session = samples::session();
        let sink = S::open(&settings, session.clone(), Opening::Fresh).map_err(Refused::Open)?;
        Ok(Self {
            settings,
            session,
            sink,
            committed: HashMap::new(),
            last: vec![],
        })
    }

    /// Delivers a batch, and writes down what the sink has put into its state.
    pub fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone> {
        self.committed = kept(|kept| kept.values.clone());
        self.last.clone_from(&batch);
        self.sink.handle(batch)
    }

    /// The host is killed after the last batch was handled and before that was written down: a new
    /// instance has the state that was there before it. Where it does not open, the old one stays.
    pub fn restart_before_the_last_batch(&mut self) {
        kept(|kept| kept.values.clone_from(&self.committed));
        self.reopen(Opening::Restarted);
    }

    /// Another build of the sink takes over.
    pub fn swap(&mut self) {
        self.reopen(Opening::Swapped);
    }

    fn reopen(&mut self, why: Opening) {
        if let Ok(sink) = S::open(&self.settings, self.session.clone(), why) {
            self.sink = sink;
        }
    }

    /// Delivers the last batch once more.
    pub fn handle_again(&mut self) -> Vec<Undone> {
        self.handle(self.last.clone())
    }

    /// Ends the session.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn close(&mut self) -> Result<(), String> {
        self.sink.close()
    }
}
