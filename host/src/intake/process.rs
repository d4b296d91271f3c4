//! One pytest process: reading its segments, and deleting what was taken in.

use std::io;
use std::path::{Path, PathBuf};

use crate::journal::Position;
use crate::protocol::segment::{self, Next, SegmentReader};

/// What a look at a process's segments found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Frames(Vec<Vec<u8>>),
    Nothing,
    /// The start of a frame without its end.
    Unfinished,
}

/// Follows one process from file to file.
#[derive(Debug)]
pub struct ProcessReader {
    folder: PathBuf,
    process: String,
    pub position: Position,
    reader: Option<SegmentReader>,
    /// Files that were read to their end, to be deleted once that is committed.
    finished: Vec<PathBuf>,
}

impl ProcessReader {
    /// Goes on at `position`.
    #[must_use]
    pub fn new(folder: &Path, process: &str, position: Position) -> Self {
        Self {
            folder: folder.to_owned(),
            process: process.to_owned(),
            position,
            reader: None,
            finished: Vec::new(),
        }
    }

    /// Reads some more, at most about a chunk.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read.
    pub fn read(&mut self) -> io::Result<Found> {
        loop {
            if self.reader.is_none() {
                let path = segment::path(&self.folder, &self.process, self.position.file);
                self.reader = SegmentReader::open(&path, self.position.offset)?;
            }
            let Some(reader) = &mut self.reader else {
                return Ok(Found::Nothing);
            };
            match reader.read()? {
                Next::Frames(frames) => {
                    self.position.offset = reader.offset;
                    return Ok(Found::Frames(frames));
                }
                Next::Nothing => return Ok(Found::Nothing),
                Next::Unfinished => return Ok(Found::Unfinished),
                Next::Continued => {
                    self.finished.push(reader.path().to_owned());
                    self.reader = None;
                    self.position.file += 1;
                    self.position.offset = 0;
                }
            }
        }
    }

    /// The file `number` is there. Where the journal has all of it, a core was
    /// killed before it came to delete it.
    pub fn has(&mut self, number: u32) {
        let position = &self.position;
        if number < position.file || (position.ended && number == position.file) {
            let path = segment::path(&self.folder, &self.process, number);
            self.finished.push(path);
        }
    }

    /// The file at this position was deleted, and so was in the journal: not in
    /// this one, which has lost what was written last.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let path = segment::path(&self.folder, &self.process, self.position.file);
        let begun = self.position.file > 0 || self.position.offset > 0;
        begun && !self.position.ended && !path.exists()
    }

    /// The position is in the journal: what is before it may go. The adapter
    /// counts the files that are left to learn how much is unread.
    pub fn committed(&mut self) {
        if self.position.ended
            && let Some(reader) = self.reader.take()
        {
            self.finished.push(reader.path().to_owned());
        }
        for file in self.finished.drain(..) {
            if let Err(error) = std::fs::remove_file(&file)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", file.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::segment::testing::segment;

    #[test]
    fn a_process_is_followed_from_file_to_file() {
        let folder = tempfile::tempdir().unwrap();
        let first = segment::path(folder.path(), "main-1", 0);
        let mut reader = ProcessReader::new(folder.path(), "main-1", Position::default());
        assert_eq!(reader.read().unwrap(), Found::Nothing);

        std::fs::write(&first, segment(&[b"1"], &[0; 32])).unwrap();
        assert_eq!(reader.read().unwrap(), Found::Frames(vec![b"1".to_vec()]));
        assert_eq!(reader.read().unwrap(), Found::Nothing);

        let second = segment::path(folder.path(), "main-1", 1);
        std::fs::write(&second, segment(&[b"3"], &[0; 8])).unwrap();
        std::fs::write(&first, segment(&[b"1", b"2"], &[0xff; 8])).unwrap();
        assert_eq!(reader.read().unwrap(), Found::Frames(vec![b"2".to_vec()]));
        assert_eq!(reader.read().unwrap(), Found::Frames(vec![b"3".to_vec()]));
        assert!(first.exists());
        reader.committed();
        assert!(!first.exists() && second.exists());

        let again = reader.position.clone();
        let mut reader = ProcessReader::new(folder.path(), "main-1", again);
        assert_eq!(reader.read().unwrap(), Found::Nothing);
        reader.position.ended = true;
        reader.committed();
        assert!(!second.exists());
    }
}
