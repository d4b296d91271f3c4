//! Reading segments: the files that a pytest process maps and appends to.
//!
//! Read with `pread`, which sees what was written through a mapping; a mapping
//! of our own would die of SIGBUS should somebody cut the file short.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"pyhseg\x00\x01";
/// Magic, process id, number.
pub const HEADER: u64 = 16;
const FRAME_HEADER: usize = 8;
/// In place of a length: the next file goes on.
const CONTINUED: u32 = u32::MAX;
/// How much is read at once, where no single frame is larger: little while there
/// is little, since what is not written yet is read as zeros.
const SMALLEST_CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 18;

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Frames, whole and checked.
    Frames(Vec<Vec<u8>>),
    /// Nothing yet, or a frame that is being written.
    Nothing,
    /// A length that is not followed by what it promises. Where the process
    /// lives, it is still writing; where it does not, it was torn.
    Unfinished,
    /// The process goes on in the next file.
    Continued,
}

/// Reads one segment file from some offset on.
#[derive(Debug)]
pub struct SegmentReader {
    file: File,
    path: PathBuf,
    /// Bytes read so far, header included.
    pub offset: u64,
    chunk: usize,
}

/// The file that a process writes as its `number`th.
#[must_use]
pub fn path(folder: &Path, process: &str, number: u32) -> PathBuf {
    folder.join(format!("{process}.{number}.seg"))
}

/// The process and number in the name of a segment.
#[must_use]
pub fn parse_name(name: &str) -> Option<(&str, u32)> {
    let (process, number) = name.strip_suffix(".seg")?.rsplit_once('.')?;
    Some((process, number.parse().ok()?))
}

impl SegmentReader {
    /// Opens a segment; `None` where it is not there or has no header yet.
    ///
    /// # Errors
    ///
    /// A file that is no segment, or cannot be read.
    pub fn open(path: &Path, offset: u64) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut magic = [0; 8];
        if read_up_to(&file, &mut magic, 0)? < magic.len() || magic == [0; 8] {
            return Ok(None);
        }
        if &magic != MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is no segment of this protocol", path.display()),
            ));
        }
        Ok(Some(Self {
            file,
            path: path.to_owned(),
            offset: offset.max(HEADER),
            chunk: SMALLEST_CHUNK,
        }))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there, some hundred kilobytes at most, and moves on past it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub fn read(&mut self) -> io::Result<Next> {
        let mut chunk = vec![0; self.chunk];
        let read = read_up_to(&self.file, &mut chunk, self.offset)?;
        chunk.truncate(read);
        let (mut frames, mut at) = (Vec::new(), 0);
        let end = loop {
            match split(chunk.get(at..).unwrap_or_default()) {
                Split::Frame(payload, size) => {
                    frames.push(payload.to_vec());
                    at += size;
                }
                Split::Beyond(size) if frames.is_empty() => {
                    return self.large(size);
                }
                Split::Beyond(_) => {
                    self.chunk = LARGEST_CHUNK.min(self.chunk * 4);
                    break Next::Nothing;
                }
                Split::Nothing => break Next::Nothing,
                Split::Unfinished => break Next::Unfinished,
                Split::Continued => break Next::Continued,
            }
        };
        if frames.is_empty() {
            self.chunk = SMALLEST_CHUNK;
            return Ok(end);
        }
        self.offset += at as u64;
        Ok(Next::Frames(frames))
    }

    /// A frame that does not fit a chunk.
    fn large(&mut self, size: usize) -> io::Result<Next> {
        // The length is checked against the file: a torn one may promise gigabytes.
        if self.offset + size as u64 > self.file.metadata()?.len() {
            return Ok(Next::Unfinished);
        }
        let mut frame = vec![0; size];
        let read = read_up_to(&self.file, &mut frame, self.offset)?;
        frame.truncate(read);
        match split(&frame) {
            Split::Frame(payload, size) => {
                let payload = payload.to_vec();
                self.offset += size as u64;
                Ok(Next::Frames(vec![payload]))
            }
            _ => Ok(Next::Unfinished),
        }
    }
}

enum Split<'a> {
    /// A payload, and the bytes that its frame takes with header and padding.
    Frame(&'a [u8], usize),
    /// A frame of so many bytes, which are not all in view.
    Beyond(usize),
    Nothing,
    Unfinished,
    Continued,
}

fn split(bytes: &[u8]) -> Split<'_> {
    let (Some(length), Some(checksum)) = (number(bytes, 0), number(bytes, 4)) else {
        // The file ends here, or its rest is not allocated yet.
        return match bytes.iter().any(|byte| *byte != 0) {
            true => Split::Beyond(FRAME_HEADER),
            false => Split::Nothing,
        };
    };
    match length {
        0 => return Split::Nothing,
        CONTINUED => return Split::Continued,
        _ => {}
    }
    let Ok(length) = usize::try_from(length) else {
        return Split::Unfinished;
    };
    let size = (FRAME_HEADER + length).next_multiple_of(8);
    // The last frame of a file may lack its padding.
    let Some(payload) = bytes.get(FRAME_HEADER..FRAME_HEADER + length) else {
        return Split::Beyond(size);
    };
    if crc32fast::hash(payload) == checksum {
        Split::Frame(payload, size)
    } else {
        Split::Unfinished
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
pub mod testing {
    //! A writer, for tests of what reads.

    /// A segment with these payloads, and `tail` after them.
    pub fn segment(payloads: &[&[u8]], tail: &[u8]) -> Vec<u8> {
        let mut bytes = super::MAGIC.to_vec();
        bytes.extend([0; 8]);
        for payload in payloads {
            bytes.extend(frame(payload));
        }
        bytes.extend(tail);
        bytes
    }

    pub fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(payload).to_le_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{frame, segment};
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> (Vec<Vec<u8>>, Next) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("main-1.0.seg");
        std::fs::write(&file, bytes).unwrap();
        let mut reader = SegmentReader::open(&file, 0).unwrap().unwrap();
        let mut found = Vec::new();
        loop {
            match reader.read().unwrap() {
                Next::Frames(frames) => found.extend(frames),
                end => return (found, end),
            }
        }
    }

    #[test]
    fn names_are_processes_and_numbers() {
        assert_eq!(parse_name("gw0-4712.3.seg"), Some(("gw0-4712", 3)));
        assert_eq!(parse_name("journal.db"), None);
        assert_eq!(
            path(Path::new("/s"), "main-1", 2),
            Path::new("/s/main-1.2.seg")
        );
    }

    #[test]
    fn a_file_without_header_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.0.seg");
        assert!(SegmentReader::open(&file, 0).unwrap().is_none());
        std::fs::write(&file, [0; 64]).unwrap();
        assert!(SegmentReader::open(&file, 0).unwrap().is_none());
        std::fs::write(&file, b"something else").unwrap();
        assert!(SegmentReader::open(&file, 0).is_err());
    }

    #[test]
    fn a_torn_frame_is_seen() {
        let mut torn = frame(b"{\"k\":\"bye\"}");
        torn[9] ^= 1;
        assert_eq!(all(&segment(&[b"{}"], &torn)).1, Next::Unfinished);
        assert_eq!(
            all(&segment(&[b"{}"], &u32::MAX.to_le_bytes().repeat(2))).1,
            Next::Continued
        );
        assert_eq!(all(&segment(&[b"{}"], &[0; 32])).1, Next::Nothing);
        // A length that promises more than the file has.
        assert_eq!(
            all(&segment(&[], &[0, 0, 0, 9, 1, 1, 1, 1])).1,
            Next::Unfinished
        );
    }

    #[test]
    fn a_frame_larger_than_a_chunk_is_read_whole() {
        let large = vec![b'x'; LARGEST_CHUNK * 3 + 5];
        let (found, end) = all(&segment(&[b"1", &large, b"2"], &[0; 8]));
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], large);
        assert_eq!(end, Next::Nothing);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..40)) {
            let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let (found, end) = all(&segment(&slices, &[0; 64]));
            prop_assert_eq!(found, payloads);
            prop_assert_eq!(end, Next::Nothing);
        }

        #[test]
        fn a_segment_cut_anywhere_gives_whole_frames_and_no_other(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..10),
            cut in any::<prop::sample::Index>(),
        ) {
            let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let whole = segment(&slices, &[]);
            let header = usize::try_from(HEADER).unwrap();
            let cut = header + cut.index(whole.len() - header + 1);
            let (found, _) = all(&whole[..cut]);
            prop_assert!(payloads.starts_with(&found));
        }
    }
}
