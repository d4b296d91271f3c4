//! The shim's side.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::FIRST;

/// The newest end is kept in this many files, of which the oldest is given up when there
/// is one too many.
const LATER: u64 = 4;

/// Keeps the first half of what may be kept, and of the rest what came last.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    /// Bytes that the first file may have, and all later ones together.
    half: u64,
    current: Option<Current>,
    /// Where the later files begin, the current one included.
    later: VecDeque<u64>,
    /// Bytes that came, kept or not.
    offset: u64,
    /// Bytes that could not be written.
    pub lost: u64,
    pub problem: Option<io::Error>,
}

#[derive(Debug)]
struct Current {
    file: File,
    room: u64,
}

impl Writer {
    pub fn new(folder: &Path, limit: u64) -> io::Result<Self> {
        let half = (limit / 2).max(LATER);
        let file = File::create(folder.join(FIRST))?;
        Ok(Self {
            folder: folder.to_owned(),
            half,
            current: Some(Current { file, room: half }),
            later: VecDeque::new(),
            offset: 0,
            lost: 0,
            problem: None,
        })
    }

    /// Takes in some bytes. What cannot be written is lost, and counted: a process
    /// does not wait for a disk that is full.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.without_what_would_go_at_once(bytes);
            match self.write_some(bytes) {
                Ok(written) => {
                    self.offset += written as u64;
                    bytes = bytes.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // A file has no holes: what comes next is in another one.
                    self.current = None;
                    self.forget_empty();
                    self.offset += bytes.len() as u64;
                    self.lost += bytes.len() as u64;
                    self.problem = Some(error);
                    return;
                }
            }
        }
    }

    /// Where little is to be kept, more would be written than read otherwise.
    fn without_what_would_go_at_once<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let beyond = (bytes.len() as u64).saturating_sub(self.half);
        if self.offset < self.half || beyond == 0 {
            return bytes;
        }
        self.current = None;
        self.offset += beyond;
        let beyond = usize::try_from(beyond).unwrap_or(usize::MAX);
        bytes.get(beyond..).unwrap_or_default()
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let current = match self.current.take().filter(|current| current.room > 0) {
            Some(current) => self.current.insert(current),
            None => {
                let next = self.next()?;
                self.current.insert(next)
            }
        };
        let fits = usize::try_from(current.room)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let written = current.file.write(bytes.get(..fits).unwrap_or_default())?;
        current.room -= written as u64;
        Ok(written)
    }

    /// Of those that are made while the disk is full, none counts.
    fn forget_empty(&mut self) {
        if self.later.back() == Some(&self.offset) {
            self.later.pop_back();
            let _ = std::fs::remove_file(self.folder.join(format!("{FIRST}.{}", self.offset)));
        }
    }

    fn next(&mut self) -> io::Result<Current> {
        while self.later.len() as u64 >= LATER
            && let Some(oldest) = self.later.pop_front()
        {
            std::fs::remove_file(self.folder.join(format!("{FIRST}.{oldest}")))?;
        }
        let name = format!("{FIRST}.{}", self.offset);
        let file = File::create(self.folder.join(name))?;
        self.later.push_back(self.offset);
        Ok(Current {
            file,
            room: self.half / LATER,
        })
    }
}
