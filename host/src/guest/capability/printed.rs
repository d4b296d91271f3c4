//! Standard output and error of a guest: lines of its log. Languages that say there why a
//! program ended (Python's traceback, Rust's panic) are heard this way.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::log::{LogBudget, lines};
use crate::guest::bindings::events::Level;

/// A line that is longer is logged in parts.
const LINE: usize = 4096;
/// Bytes that may be written at once.
const PERMIT: usize = 64 << 10;

/// How lines begin that Rust's and Python's runtimes print at any end, around the one that says why.
const SAID_OF_ANY: [&str; 4] = [
    "thread '",
    "note: ",
    "Python function threw",
    "stack backtrace",
];

/// Where what is printed goes.
#[derive(Clone)]
pub struct Printed {
    sink: Arc<str>,
    log: Arc<LogBudget>,
    level: Level,
    words: Arc<Mutex<Option<String>>>,
}

impl Printed {
    #[must_use]
    pub fn new(sink: &Arc<str>, log: &Arc<LogBudget>, level: Level) -> Self {
        Self {
            sink: Arc::clone(sink),
            log: Arc::clone(log),
            level,
            words: Arc::default(),
        }
    }

    /// What was said last, since this was asked last: mostly why a program ended.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.take()
    }

    fn tell(&self, text: &str) {
        lines(&self.log, &self.sink, self.level, text);
        let line = text.trim();
        if !line.is_empty() && !SAID_OF_ANY.iter().any(|said| line.starts_with(said)) {
            let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            *words = Some(line.to_owned());
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines::new(self))
    }

    /// At once, not by a task of its own: what is said before a trap is what matters.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Lines::new(self))
    }
}

/// A stream, with the line that is not yet whole.
struct Lines {
    to: Printed,
    begun: Vec<u8>,
}

impl Lines {
    fn new(to: &Printed) -> Self {
        Self {
            to: to.clone(),
            begun: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if self.begun.ends_with(b"\n") || self.begun.len() >= LINE {
                self.tell();
            }
        }
    }

    fn tell(&mut self) {
        let text = String::from_utf8_lossy(&self.begun);
        self.to.tell(&text);
        self.begun.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.tell();
        }
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Lines {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_why_is_remembered() {
        let printed = Printed::new(&"s".into(), &Arc::new(LogBudget::new(0)), Level::Info);
        let mut lines = Lines::new(&printed);
        lines.take(b"ValueError: no\n\nthread '<unnamed>' (1) panicked at lib.rs:1:\n");
        lines.take(b"Python function threw an unexpected exception\nnote: run with\n");
        assert_eq!(printed.last_words().as_deref(), Some("ValueError: no"));
        assert_eq!(printed.last_words(), None);
    }

    #[test]
    fn lines_are_told_whole_and_the_last_one_too() {
        let budget = Arc::new(LogBudget::new(10_000));
        let printed = Printed::new(&"s".into(), &budget, Level::Info);
        let mut lines = Lines::new(&printed);
        lines.take(b"one\ntw");
        assert_eq!(lines.begun, b"tw");
        lines.take(b"o\n\nthree");
        assert_eq!(lines.begun, b"three");
        lines.take(&[b'x'; 2 * LINE]);
        assert!(lines.begun.len() < LINE, "no line grows for ever");
    }
}
