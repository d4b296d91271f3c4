//! Log lines, shown under the sink's name.
//!
//! Each level is a function that takes a text, and a macro that formats one:
//!
//! ```
//! use pytest_host_sdk::{log, testing};
//!
//! # testing::host().reset();
//! log::info!("{} of {} were slow", 3, 7);
//! assert_eq!(testing::host().logged(), ["info: 3 of 7 were slow"]);
//! ```

use crate::bindings::pytest_host::sinks::events::Level;
#[cfg(target_family = "wasm")]
use crate::bindings::pytest_host::sinks::log::write;
#[cfg(not(target_family = "wasm"))]
use crate::testing::write;

pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warning as warning};

pub fn debug(message: &str) {
    write(Level::Debug, message);
}

pub fn info(message: &str) {
    write(Level::Info, message);
}

pub fn warning(message: &str) {
    write(Level::Warning, message);
}

pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Formats a line of level `debug`; `log::debug!` is its name.
#[macro_export]
macro_rules! log_debug {
    ($($text:tt)*) => { $crate::log::debug(&::std::format!($($text)*)) };
}

/// Formats a line of level `info`; `log::info!` is its name.
#[macro_export]
macro_rules! log_info {
    ($($text:tt)*) => { $crate::log::info(&::std::format!($($text)*)) };
}

/// Formats a line of level `warning`; `log::warning!` is its name.
#[macro_export]
macro_rules! log_warning {
    ($($text:tt)*) => { $crate::log::warning(&::std::format!($($text)*)) };
}

/// Formats a line of level `error`; `log::error!` is its name.
#[macro_export]
macro_rules! log_error {
    ($($text:tt)*) => { $crate::log::error(&::std::format!($($text)*)) };
}
