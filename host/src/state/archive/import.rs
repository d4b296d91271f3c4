//! Reads a run from a file. Nothing in it is trusted: it may have come a long way.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::manifest::{MANIFEST_BYTES, Manifest, Member, check_name, parse_segment};
use super::{ArchiveError, MANIFEST, SEGMENTS, io_error};
use crate::journal::{adopt, copy_events};
use crate::state::runs::{JOURNAL, LOCK};
use crate::state::{StateFolder, private_folder};
use crate::text::hex;

const KEPT: &str = "cannot be kept";
/// Zeros that may stand behind the last member.
const PADDING: u64 = 1 << 16;

/// Reads the run in the file `from` into `state`, as `name` or as what it is named
/// there, and answers its name. It may take `most` bytes.
///
/// # Errors
///
/// Where anything is wrong with the file or the run cannot be kept; then nothing
/// of it is.
pub fn import(
    state: &StateFolder,
    from: &Path,
    name: Option<&str>,
    most: u64,
) -> Result<String, ArchiveError> {
    if let Some(name) = name {
        check_name(name)?;
    }
    let file = File::open(from).map_err(io_error("cannot be read"))?;
    let staging = state.stage().map_err(io_error(KEPT))?;
    let received = staging.path().join("received");
    let run = staging.path().join("run");
    for folder in [&received, &run.join("segments")] {
        private_folder(folder).map_err(io_error(KEPT))?;
    }
    let accept = |manifest: &Manifest| {
        let name = name.unwrap_or(&manifest.run).to_owned();
        if state.folder_of(&name).exists() {
            return Err(ArchiveError::Exists(name));
        }
        if manifest.size() > most {
            return Err(ArchiveError::TooLarge {
                found: ByteSize(manifest.size()).to_string(),
                most: ByteSize(most).to_string(),
            });
        }
        Ok(name)
    };
    let (manifest, name) = unpack(file, accept, |member| {
        match member.name.strip_prefix(SEGMENTS) {
            Some(segment) => run.join("segments").join(segment),
            None => received.join(JOURNAL),
        }
    })?;
    // Copied: what the file has beside events does not come along.
    let journal = run.join(JOURNAL);
    copy_events(&received.join(JOURNAL), &journal)?;
    let segments: Vec<(&str, u32)> = manifest
        .members
        .iter()
        .filter_map(|member| parse_segment(member.name.strip_prefix(SEGMENTS)?))
        .collect();
    adopt(&journal, &segments)?;
    File::create_new(run.join(LOCK)).map_err(io_error(KEPT))?;
    let place = state.folder_of(&name);
    match std::fs::rename(&run, &place) {
        Ok(()) => Ok(name),
        // Another import was faster.
        Err(_) if place.exists() => Err(ArchiveError::Exists(name)),
        Err(error) => Err(io_error(KEPT)(error)),
    }
}

/// Takes the archive apart: `accept` judges its manifest before anything else is
/// read, `place` says where a member goes.
fn unpack<T>(
    file: File,
    accept: impl FnOnce(&Manifest) -> Result<T, ArchiveError>,
    place: impl Fn(&Member) -> PathBuf,
) -> Result<(Manifest, T), ArchiveError> {
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    // Raw: long names and sparse files, which are read into memory or grow, are
    // members like others then, and not ours.
    let mut entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut first = entries
        .next()
        .ok_or(ArchiveError::Foreign("it is empty"))?
        .map_err(|_| ArchiveError::Foreign("it is no gzip-compressed tar archive"))?;
    if name_of(&first)? != MANIFEST || first.size() > MANIFEST_BYTES {
        return Err(ArchiveError::Foreign("it has no manifest"));
    }
    let mut text = Vec::new();
    first.read_to_end(&mut text).map_err(unreadable)?;
    let manifest = Manifest::read(&text)?;
    let accepted = accept(&manifest)?;
    for member in &manifest.members {
        let missing = || ArchiveError::Damaged(format!("{:?} is missing", member.name));
        let mut entry = entries.next().ok_or_else(missing)?.map_err(unreadable)?;
        if name_of(&entry)? != member.name {
            return Err(missing());
        }
        if entry.size() != member.size {
            return Err(changed(member));
        }
        receive(&mut entry, member, &place(member))?;
    }
    if entries.next().is_some() {
        return Err(ArchiveError::Damaged(
            "it has more than its manifest says".to_owned(),
        ));
    }
    end(archive.into_inner())?;
    Ok((manifest, accepted))
}

/// The name of a member that is a plain file.
fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, ArchiveError> {
    let name = entry.path_bytes();
    let name = String::from_utf8_lossy(&name).into_owned();
    if entry.header().entry_type() == tar::EntryType::Regular {
        Ok(name)
    } else {
        Err(ArchiveError::Damaged(format!("{name:?} is no plain file")))
    }
}

fn receive(content: &mut impl Read, member: &Member, to: &Path) -> Result<(), ArchiveError> {
    let mut file = File::create_new(to).map_err(io_error(KEPT))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = content.read(&mut buffer).map_err(unreadable)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        size += bytes.len() as u64;
        digest.update(bytes);
        file.write_all(bytes).map_err(io_error(KEPT))?;
    }
    if size != member.size || hex(&digest.finalize()) != member.sha256 {
        return Err(changed(member));
    }
    file.sync_all().map_err(io_error(KEPT))
}

/// Reads what is behind the members: zeros, and the checksum.
fn end(mut decoder: GzDecoder<BufReader<File>>) -> Result<(), ArchiveError> {
    let mut rest = Vec::new();
    let read = decoder.by_ref().take(PADDING + 1).read_to_end(&mut rest);
    read.map_err(unreadable)?;
    let more = rest.len() as u64 > PADDING
        || rest.iter().any(|byte| *byte != 0)
        || !decoder
            .into_inner()
            .fill_buf()
            .map_err(unreadable)?
            .is_empty();
    if more {
        return Err(ArchiveError::Damaged(
            "it goes on behind its end".to_owned(),
        ));
    }
    Ok(())
}

fn changed(member: &Member) -> ArchiveError {
    ArchiveError::Damaged(format!("{:?} is not what it was", member.name))
}

fn unreadable(error: io::Error) -> ArchiveError {
    ArchiveError::Damaged(if error.kind() == io::ErrorKind::UnexpectedEof {
        "it is cut off".to_owned()
    } else {
        crate::text::printable(&error.to_string())
    })
}
