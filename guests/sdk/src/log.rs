//! Log lines, shown under the sink's name.

use crate::bindings::pytest_host::sinks::{events::Level, log::write};

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
