//! The trait a sink implements, and what carries the host's calls to it.

use serde::de::DeserializeOwned;

use crate::{Envelope, Misconfiguration, Need, Opening, Session, Undone};

/// What a sink does with events; the contract's `sink` interface.
///
/// A value of the type is one session, opened.
pub trait Sink: Sized + 'static {
    /// The sink's table in the configuration.
    ///
    /// With `#[serde(deny_unknown_fields)]` a setting that does not exist is answered with the nearest one
    /// that does; a value of the wrong type is answered with the setting's name.
    type Settings: DeserializeOwned + 'static;

    /// Says what the sink has to be granted, or what is wrong with the settings. It must not do I/O.
    fn configure(settings: &Self::Settings) -> Result<Vec<Need>, Misconfiguration>;

    /// Called before an instance's first batch.
    fn open(settings: &Self::Settings, session: Session, why: Opening) -> Result<Self, String>;

    /// Returns the events that are not done.
    fn handle(&mut self, batch: Vec<Envelope>) -> Vec<Undone>;

    /// Called once all events are acknowledged or set aside.
    fn close(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Says that the setting `key` cannot be used because of `problem`, a fragment that follows the key and a colon.
pub fn misconfigured(key: &str, problem: impl Into<String>) -> Misconfiguration {
    Misconfiguration {
        key: Some(key.to_owned()),
        problem: problem.into(),
    }
}

/// Makes a type that implements [`Sink`] the component's sink.
#[macro_export]
macro_rules! export {
    ($sink:ty) => {
        const _: () = {
            ::std::thread_local! {
                static SINK: $crate::glue::Slot<$sink> = const { $crate::glue::Slot::new($crate::glue::State::Unconfigured) };
            }

            struct Component;

            impl $crate::glue::Guest for Component {
                fn configure(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Need>, $crate::Misconfiguration>
                {
                    $crate::glue::configure(&SINK, &settings)
                }

                fn open(
                    session: $crate::Session,
                    why: $crate::Opening,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::glue::open(&SINK, session, why)
                }

                fn handle(
                    batch: ::std::vec::Vec<$crate::Envelope>,
                ) -> ::std::vec::Vec<$crate::Undone> {
                    $crate::glue::handle(&SINK, batch)
                }

                fn close() -> ::std::result::Result<(), ::std::string::String> {
                    $crate::glue::close(&SINK)
                }
            }

    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}

/// What [`export!`] expands to calls of.
pub mod glue {
    use std::{cell::RefCell, thread::LocalKey};

    pub use crate::bindings::exports::pytest_host::sinks::sink::Guest;
    use crate::{
        Envelope, Misconfiguration, Need, Opening, Refusal, Session, Sink, Undone, settings,
    };

    /// An instance's sink, as far as it got.
    pub type Slot<S> = RefCell<State<S>>;

    pub enum State<S: Sink> {
        Unconfigured,
        Configured(S::Settings),
        Open(S::Settings, S),
    }

    impl<S: Sink> State<S> {
        fn sink(&mut self) -> Result<&mut S, &'static str> {
            match self {
                Self::Open(_, sink) => Ok(sink),
                _ => Err("the sink was never opened"),
            }
        }
    }

    pub fn configure<S: Sink>(
        slot: &'static LocalKey<Slot<S>>,
        settings: &str,
    ) -> Result<Vec<Need>, Misconfiguration> {
        let settings = settings::parse(settings)?;
        let needs = S::configure(&settings)?;
        slot.set(State::Configured(settings));
        Ok(needs)
    }

    pub fn open<S: Sink>(
        slot: &'static LocalKey<Slot<S>>,
        session: Session,
        why: Opening,
    ) -> Result<(), String> {
        let (State::Configured(settings) | State::Open(settings, _)) =
            slot.replace(State::Unconfigured)
        else {
            return Err("the sink was never configured".to_owned());
        };
        let opened = S::open(&settings, session, why);
        let (state, answer) = match opened {
            Ok(sink) => (State::Open(settings, sink), Ok(())),
            Err(problem) => (State::Configured(settings), Err(problem)),
        };
        slot.set(state);
        answer
    }

    pub fn handle<S: Sink>(slot: &'static LocalKey<Slot<S>>, batch: Vec<Envelope>) -> Vec<Undone> {
        slot.with_borrow_mut(|state| match state.sink() {
            Ok(sink) => sink.handle(batch),
            Err(problem) => {
                let why = Refusal::Retry((1.0, problem.to_owned()));
                batch
                    .iter()
                    .map(|envelope| Undone {
                        seq: envelope.seq,
                        why: why.clone(),
                    })
                    .collect()
            }
        })
    }

    pub fn close<S: Sink>(slot: &'static LocalKey<Slot<S>>) -> Result<(), String> {
        slot.with_borrow_mut(|state| state.sink()?.close())
    }
}
