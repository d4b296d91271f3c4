//! Whether a journal's files are as SQLite left them.
//!
//! SQLite takes a broken write in the middle of its log for the end of it, as
//! after a power loss, and drops all that follows: nobody would be told.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::JournalError;
use crate::text::printable;

/// Of the log, and of each page in it.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The last bit says how checksums read words.
const MAGIC: u32 = 0x377f_0682;
const LARGEST_PAGE: usize = 1 << 16;

/// Keeps a copy of a damaged log, and says so; answers whether there was one. To be
/// called before SQLite opens the journal in `file`, and drops what it cannot read.
///
/// # Errors
///
/// Where the log cannot be read or copied.
pub fn keep_damaged_log(file: &Path) -> io::Result<bool> {
    let log = beside(file, "-wal");
    let damaged = match File::open(&log) {
        Ok(opened) => is_damaged(&mut BufReader::new(opened))?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if damaged {
        let copy = beside(file, "-wal.damaged");
        std::fs::copy(&log, &copy)?;
        tracing::error!(
            "the journal is damaged: its last events cannot be read and are not delivered; a copy is kept in {}",
            copy.display()
        );
    }
    Ok(damaged)
}

/// Empties a log that was damaged. Pages behind the damage would come back to life where
/// those before them happen to be written once more as they were.
///
/// # Errors
///
/// Where the log cannot be written to the database.
pub fn empty_log(connection: &Connection) -> Result<(), JournalError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Looks through a journal that was there before.
///
/// # Errors
///
/// Where it is damaged, or cannot be read.
pub fn check(connection: &Connection) -> Result<(), JournalError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(JournalError::Damaged(printable(&found)))
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether what SQLite reads of a log is followed by more of the same.
///
/// A process that is killed leaves at most one page that is not whole, the last.
/// What is left of the log's use before has other salts.
fn is_damaged(log: &mut impl Read) -> io::Result<bool> {
    let mut header = [0; HEADER];
    if !fill(log, &mut header)? {
        return Ok(false);
    }
    let words: Vec<u32> = header.chunks_exact(4).map(big_endian).collect();
    let &[magic, _, page, _, salt_1, salt_2, sum_1, sum_2] = words.as_slice() else {
        return Ok(true);
    };
    let read_word = if magic & 1 == 1 {
        big_endian
    } else {
        little_endian
    };
    let mut sum = checksum((0, 0), header.get(..24).unwrap_or_default(), read_word);
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    if magic & !1 != MAGIC || sum != (sum_1, sum_2) || page > LARGEST_PAGE {
        return Ok(true);
    }
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut ended = false;
    while fill(log, &mut frame)? {
        let (head, data) = frame.split_at(FRAME_HEADER);
        let words: Vec<u32> = head.chunks_exact(4).map(big_endian).collect();
        let is_ours = words.get(2..4) == Some(&[salt_1, salt_2]);
        if ended && is_ours {
            return Ok(true);
        }
        let after = checksum(sum, head.get(..8).unwrap_or_default(), read_word);
        sum = checksum(after, data, read_word);
        ended |= !is_ours || words.get(4..6) != Some(&[sum.0, sum.1]);
    }
    Ok(false)
}

/// Whether there was enough.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// SQLite's, which goes on from page to page.
fn checksum(from: (u32, u32), bytes: &[u8], read_word: fn(&[u8]) -> u32) -> (u32, u32) {
    bytes.chunks_exact(8).fold(from, |(first, second), pair| {
        let (left, right) = pair.split_at(4);
        let first = first.wrapping_add(read_word(left)).wrapping_add(second);
        let second = second.wrapping_add(read_word(right)).wrapping_add(first);
        (first, second)
    })
}

fn big_endian(word: &[u8]) -> u32 {
    word.try_into().map_or(0, u32::from_be_bytes)
}

fn little_endian(word: &[u8]) -> u32 {
    word.try_into().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log of a database that is open, after `writes` commits of a page or two.
    fn log(writes: u32) -> (tempfile::TempDir, Connection, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let connection = Connection::open(&file).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (text);")
            .unwrap();
        for number in 0..writes {
            connection
                .execute("INSERT INTO t VALUES (?)", [format!("{number:0>900}")])
                .unwrap();
        }
        let bytes = std::fs::read(beside(&file, "-wal")).unwrap();
        (folder, connection, bytes)
    }

    fn damaged(bytes: &[u8]) -> bool {
        is_damaged(&mut &*bytes).unwrap()
    }

    #[test]
    fn a_log_may_end_anywhere() {
        let (_folder, _open, bytes) = log(20);
        assert!(bytes.len() > 80_000);
        for end in (0..bytes.len()).step_by(97).chain([bytes.len()]) {
            assert!(!damaged(&bytes[..end]), "cut at {end}");
        }
        let mut torn = bytes.clone();
        *torn.last_mut().unwrap() ^= 1;
        assert!(!damaged(&torn), "the last page is not whole");
    }

    #[test]
    fn a_broken_byte_before_the_last_page_is_found() {
        let (_folder, _open, bytes) = log(20);
        let pages = bytes.len() - FRAME_HEADER - 4096;
        for at in (0..pages).step_by(61) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x40;
            assert!(damaged(&broken), "at {at}");
        }
    }

    /// A log is written again from its start once all of it is in the database.
    #[test]
    fn what_is_left_of_an_earlier_use_is_no_damage() {
        let (folder, connection, before) = log(20);
        connection
            .query_row("PRAGMA wal_checkpoint", [], |_| Ok(()))
            .unwrap();
        connection
            .execute("INSERT INTO t VALUES ('more')", [])
            .unwrap();
        let log = beside(&folder.path().join("journal.db"), "-wal");
        let bytes = std::fs::read(log).unwrap();
        assert_eq!(bytes.len(), before.len());
        assert_ne!(bytes, before);
        assert!(!damaged(&bytes));
    }
}
