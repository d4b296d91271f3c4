//! A connection to a core, for a command that asks one thing after another.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::Serialize;

use super::address::read_address;
use crate::protocol::PROTOCOL;
use crate::protocol::control::{FromControl, ToControl};
use crate::protocol::message::LINE_BYTES;
use crate::state::StateFolder;

/// Asks a core. Answers may take as long as what was asked for.
#[derive(Debug)]
pub struct Control {
    stream: BufReader<UnixStream>,
}

#[derive(Serialize)]
struct Hello {
    r#type: &'static str,
    protocol: u32,
    token: String,
    role: &'static str,
}

impl Control {
    /// Says hello to the core at `address`.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn connect(address: &Path) -> io::Result<Self> {
        let token = std::fs::read_to_string(address.join("token"))?;
        let stream = UnixStream::connect(address.join("sock"))?;
        let mut control = Self {
            stream: BufReader::new(stream),
        };
        control.write(&Hello {
            r#type: "hello",
            protocol: PROTOCOL,
            token: token.trim_end().to_owned(),
            role: "control",
        })?;
        Ok(control)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// Where the core goes away, or does not understand.
    pub fn ask(&mut self, line: &FromControl) -> io::Result<ToControl> {
        self.write(line)?;
        let mut answer = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_BYTES);
        if limited.read_until(b'\n', &mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// From here on an answer that takes longer than `time` is an error.
    pub fn give_up_after(&mut self, time: std::time::Duration) {
        // It fails for a time of zero alone.
        let _ = self.stream.get_ref().set_read_timeout(Some(time));
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)
    }
}

/// The core that serves the run `id` of `state` now.
#[must_use]
pub fn core_of(state: &StateFolder, id: &str) -> Option<Control> {
    Control::connect(&read_address(&state.folder_of(id))?).ok()
}

/// The cores that serve runs of `state` now, each once.
#[must_use]
pub fn living(state: &StateFolder) -> Vec<Control> {
    let addresses: BTreeSet<_> = state
        .runs()
        .iter()
        .filter_map(|id| read_address(&state.folder_of(id)))
        .collect();
    let connect = |address: &std::path::PathBuf| Control::connect(address).ok();
    addresses.iter().filter_map(connect).collect()
}
