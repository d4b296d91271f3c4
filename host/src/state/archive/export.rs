//! Writes a run to a file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::manifest::{Manifest, Member, parse_segment};
use super::{ArchiveError, MANIFEST, SEGMENTS, io_error};
use crate::journal::{JournalReader, copy_events};
use crate::state::runs::JOURNAL;
use crate::state::{RunFolder, StateFolder};
use crate::text::hex;

const STAGED: &str = "cannot put it together";
const WRITTEN: &str = "cannot be written";

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    pub events: u64,
    /// The run was not over.
    pub is_part: bool,
    pub bytes: u64,
}

/// Writes the run `id` to the file `to`, as it is at one moment. Where nobody owns
/// the run, nobody can take it up meanwhile.
///
/// # Errors
///
/// Where it cannot be read or `to` not be written; then there is no `to`.
pub fn export(state: &StateFolder, id: &str, to: &Path) -> Result<Exported, ArchiveError> {
    let staging = state.stage().map_err(io_error(STAGED))?;
    let folder = state.take_up(id).map_err(io_error("cannot be opened"))?;
    let from = state.journal_of(id);
    if JournalReader::open(&from)?.is_none() {
        return Err(ArchiveError::Empty);
    }
    let journal = staging.path().join(JOURNAL);
    copy_events(&from, &journal)?;
    let head = match JournalReader::open(&journal)? {
        Some(reader) => reader.head()?,
        None => return Err(ArchiveError::Empty),
    };
    let mut files = vec![(JOURNAL.to_owned(), journal)];
    // A core takes segments in and deletes them; those of nobody are here alone.
    if let Some(folder) = &folder {
        files.extend(segments(folder, staging.path()).map_err(io_error(STAGED))?);
    }
    let members = files
        .iter()
        .map(|(name, path)| member(name, path))
        .collect::<io::Result<Vec<_>>>()
        .map_err(io_error(STAGED))?;
    let manifest = Manifest::new(id, members);
    let bytes = aside(to, |file| write(file, &manifest, &files)).map_err(io_error(WRITTEN))?;
    Ok(Exported {
        events: head.last,
        is_part: !head.closed,
        bytes,
    })
}

/// Copies the segments: a pytest without a core may go on writing to them.
fn segments(folder: &RunFolder, staging: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut copied = Vec::new();
    for entry in std::fs::read_dir(folder.segments())? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if parse_segment(&name).is_none() {
            continue;
        }
        let copy = staging.join(&name);
        std::fs::copy(entry.path(), &copy)?;
        copied.push((format!("{SEGMENTS}{name}"), copy));
    }
    copied.sort();
    Ok(copied)
}

fn member(name: &str, path: &Path) -> io::Result<Member> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut digest, mut size) = (Sha256::new(), 0);
    loop {
        let chunk = file.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        digest.update(chunk);
        let read = chunk.len();
        size += read as u64;
        file.consume(read);
    }
    Ok(Member {
        name: name.to_owned(),
        size,
        sha256: hex(&digest.finalize()),
    })
}

/// Writes a file beside `to`, and renames it once it is whole.
fn aside(to: &Path, write: impl FnOnce(File) -> io::Result<()>) -> io::Result<u64> {
    let name = to
        .file_name()
        .ok_or_else(|| io::Error::other("it names no file"))?;
    let mut part = name.to_owned();
    part.push(format!(".{:08x}.part", fastrand::u32(..)));
    let part = to.with_file_name(part);
    let written = File::options()
        .create_new(true)
        .write(true)
        // It holds what tests print.
        .mode(0o600)
        .open(&part)
        .and_then(write)
        .and_then(|()| Ok(std::fs::metadata(&part)?.len()))
        .and_then(|bytes| std::fs::rename(&part, to).map(|()| bytes));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn write(file: File, manifest: &Manifest, files: &[(String, PathBuf)]) -> io::Result<()> {
    let encoder = GzEncoder::new(BufWriter::new(file), Compression::default());
    let mut archive = tar::Builder::new(encoder);
    let text = serde_json::to_vec_pretty(manifest)?;
    append(&mut archive, MANIFEST, text.len() as u64, text.as_slice())?;
    for ((name, path), member) in files.iter().zip(&manifest.members) {
        append(&mut archive, name, member.size, File::open(path)?)?;
    }
    let mut written = archive.into_inner()?.finish()?;
    written.flush()?;
    written.get_ref().sync_all()
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    size: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, content)
}
