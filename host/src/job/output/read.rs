//! Everybody else's side.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::Pieces;
use crate::job::record::run_folder;
use crate::job::view::Seen;

/// How often somebody who follows looks for more.
const LOOK: Duration = Duration::from_millis(50);
/// What is read at once.
const CHUNK: u64 = 256 << 10;

/// A job's output, while it comes and after that.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    seen: watch::Receiver<Seen>,
    /// 0 until its process runs for the first time.
    run: u32,
    offset: u64,
}

/// Some bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where they begin.
    pub offset: u64,
    /// How many bytes before them nobody kept.
    pub left_out: u64,
    pub bytes: Bytes,
}

impl Output {
    pub(in crate::job) fn new(folder: PathBuf, seen: watch::Receiver<Seen>) -> Self {
        let run = seen.borrow().run;
        Self {
            folder,
            seen,
            run,
            offset: 0,
        }
    }

    /// How many bytes there are so far, those that nobody kept included.
    ///
    /// # Errors
    ///
    /// Where they cannot be looked at.
    pub async fn length(&self) -> io::Result<u64> {
        self.with_pieces(|pieces| Ok(pieces.end())).await
    }

    /// Whether there will be no more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.seen.borrow().is_over(self.run)
    }

    /// Goes to a byte.
    pub fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// What is there already, at most `most` bytes; none at the end.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn read(&mut self, most: u64) -> io::Result<Option<Chunk>> {
        let from = self.offset;
        let read = move |pieces: Pieces| {
            let Some(offset) = pieces.first_kept(from) else {
                return Ok(None);
            };
            let bytes = pieces.read(offset, most.min(CHUNK))?;
            // Empty where the file went in between: there are newer ones.
            Ok(Some(Chunk {
                offset,
                left_out: offset - from,
                bytes: bytes.into(),
            }))
        };
        loop {
            let chunk = self.with_pieces(read).await?;
            match chunk {
                Some(chunk) if chunk.bytes.is_empty() && most > 0 => {}
                Some(chunk) => {
                    self.offset = chunk.offset + chunk.bytes.len() as u64;
                    return Ok(Some(chunk));
                }
                None => return Ok(None),
            }
        }
    }

    /// What comes next, waiting for it; none once the process has ended.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            // Asked first: what is there after the end is all that there is.
            let whole = self.is_whole();
            if let Some(chunk) = self.read(CHUNK).await? {
                return Ok(Some(chunk));
            }
            if whole {
                return Ok(None);
            }
            tokio::select! {
                changed = self.seen.changed() => {
                    if changed.is_err() {
                        return self.read(CHUNK).await;
                    }
                    if self.run == 0 {
                        self.run = self.seen.borrow().run;
                    }
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn with_pieces<T: Send + 'static>(
        &self,
        with: impl FnOnce(Pieces) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let run = run_folder(&self.folder, self.run);
        tokio::task::spawn_blocking(move || with(Pieces::find(&run)?)).await?
    }
}
