//! Which bytes are there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::FIRST;

/// What a folder has of a process's output at one moment.
#[derive(Clone, Debug)]
pub struct Pieces {
    folder: PathBuf,
    /// In order; none is empty.
    pieces: Vec<Range<u64>>,
}

impl Pieces {
    /// Looks. Where nothing was printed, or nothing is there, there are no pieces.
    pub fn find(folder: &Path) -> io::Result<Self> {
        let mut pieces = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    folder: folder.to_owned(),
                    pieces,
                });
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let behind = name.to_str().and_then(|name| name.strip_prefix(FIRST));
            let start = match behind {
                Some("") => Some(0),
                Some(behind) => behind
                    .strip_prefix('.')
                    .and_then(|start| start.parse().ok()),
                None => None,
            };
            // One that goes at this moment is one that is not there.
            if let (Some(start), Ok(metadata)) = (start, entry.metadata()) {
                pieces.push(start..start + metadata.len());
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces.sort_by_key(|piece| piece.start);
        Ok(Self {
            folder: folder.to_owned(),
            pieces,
        })
    }

    /// Bytes that the process has printed, kept or not.
    pub fn end(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    /// How many of these bytes are not kept.
    pub fn left_out(&self, of: Range<u64>) -> u64 {
        let kept = self.pieces.iter().map(|piece| {
            let start = piece.start.max(of.start);
            piece.end.min(of.end).saturating_sub(start)
        });
        of.end.saturating_sub(of.start).saturating_sub(kept.sum())
    }

    /// The first byte at or after `offset` that is kept.
    pub fn first_kept(&self, offset: u64) -> Option<u64> {
        let piece = self.pieces.iter().find(|piece| piece.end > offset)?;
        Some(piece.start.max(offset))
    }

    /// Where what is kept up to the end begins.
    pub fn last_contiguous(&self) -> u64 {
        let mut begin = self.end();
        for piece in self.pieces.iter().rev() {
            if piece.end < begin {
                break;
            }
            begin = piece.start;
        }
        begin
    }

    /// The bytes from `offset` on, at most `most` and none behind a gap. What goes while it
    /// is read is not there.
    pub fn read(&self, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut at = offset;
        for piece in &self.pieces {
            let left = most - bytes.len() as u64;
            if left == 0 || piece.start > at {
                break;
            }
            if piece.end <= at {
                continue;
            }
            let name = match piece.start {
                0 => FIRST.to_owned(),
                start => format!("{FIRST}.{start}"),
            };
            let mut file = match File::open(self.folder.join(name)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(at - piece.start))?;
            let read = file
                .take(left.min(piece.end - at))
                .read_to_end(&mut bytes)?;
            at += read as u64;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Writer;
    use super::*;
    use proptest::prelude::*;

    /// Bytes that say where they are.
    fn printed(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    fn disk(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_printed(limit in 8u64..200, lengths in prop::collection::vec(0usize..300, 0..8)) {
            let folder = tempfile::tempdir().unwrap();
            let total: usize = lengths.iter().sum();
            let all = printed(total);
            let mut writer = Writer::new(folder.path(), limit).unwrap();
            let mut at = 0;
            for length in lengths {
                writer.write(&all[at..at + length]);
                at += length;
                prop_assert!(disk(folder.path()) <= limit);
            }
            let pieces = Pieces::find(folder.path()).unwrap();
            let end = total as u64;
            prop_assert_eq!(pieces.end(), end);
            let half = (limit / 2).max(4);
            let head = pieces.read(0, half).unwrap();
            prop_assert_eq!(&head[..], &all[..total.min(half as usize)]);
            let begin = pieces.last_contiguous();
            let last = pieces.read(begin, end).unwrap();
            prop_assert_eq!(&last[..], &all[begin as usize..]);
            let tail = half / 4 * 3;
            prop_assert!(end - begin >= end.min(tail), "{begin} of {end}");
            if pieces.left_out(0..end) > 0 {
                let gap = pieces.first_kept(half);
                prop_assert_eq!(gap, Some(begin));
                prop_assert_eq!(pieces.left_out(0..end), begin - half);
            } else {
                prop_assert_eq!(pieces.read(0, end).unwrap(), all);
            }
        }
    }

    #[test]
    fn a_file_that_goes_is_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("output"), "abc").unwrap();
        std::fs::write(folder.path().join("output.3"), "def").unwrap();
        let pieces = Pieces::find(folder.path()).unwrap();
        assert_eq!(pieces.read(1, 4).unwrap(), b"bcde");
        std::fs::remove_file(folder.path().join("output.3")).unwrap();
        assert_eq!(pieces.read(1, 4).unwrap(), b"bc");
        assert_eq!(Pieces::find(&folder.path().join("no")).unwrap().end(), 0);
    }

    #[test]
    fn a_disk_that_is_full_costs_what_came_then() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("run");
        std::fs::create_dir(&inner).unwrap();
        let mut writer = Writer::new(&inner, 16).unwrap();
        writer.write(b"01234567");
        // No file can be made where there is no folder.
        std::fs::rename(&inner, folder.path().join("away")).unwrap();
        writer.write(b"lost");
        std::fs::rename(folder.path().join("away"), &inner).unwrap();
        writer.write(b"ab");
        let pieces = Pieces::find(&inner).unwrap();
        assert_eq!((writer.lost, pieces.end()), (4, 14));
        assert_eq!(pieces.left_out(0..14), 4);
        assert_eq!(pieces.read(12, 9).unwrap(), b"ab");
    }
}
