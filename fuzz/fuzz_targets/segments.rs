//! Segments: a file as a pytest process leaves it, read while it is written and when it is whole.
//! After an odd first byte its checksums are put right, so that there is something behind them.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pytest_host::protocol::frame;
use pytest_host::protocol::segment::{HEADER, Next, SegmentReader};

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap_or_else(|error| {
        eprintln!("no folder for segments: {error}");
        std::process::exit(1);
    });
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, bytes)) = data.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if mode % 2 == 1 {
        put_checksums_right(&mut bytes);
    }
    FOLDER.with(|folder| {
        let file = folder.path().join("main-1.0.seg");
        let whole = read(&file, &bytes);
        for payload in &whole {
            assert!(!payload.is_empty());
            let _ = frame::read(payload);
        }
        let cut = bytes.len() * usize::from(mode / 2) / 128;
        let part = read(&file, bytes.get(..cut).unwrap_or_default());
        assert!(
            whole.starts_with(&part),
            "a part has what the whole has not"
        );
    });
});

/// All frames of a file with these bytes.
fn read(file: &Path, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if let Err(error) = std::fs::write(file, bytes) {
        eprintln!("nothing can be written: {error}");
        std::process::exit(1);
    }
    let Ok(Some(mut reader)) = SegmentReader::open(file, 0) else {
        return found;
    };
    loop {
        let before = reader.offset;
        let read = reader.read();
        assert!(read.is_ok(), "{read:?}");
        match read {
            Ok(Next::Frames(frames)) => found.extend(frames),
            _ => return found,
        }
        assert!(reader.offset > before, "it would read the same for ever");
    }
}

fn put_checksums_right(bytes: &mut [u8]) {
    let mut at = usize::try_from(HEADER).unwrap_or_default();
    while let Some((head, rest)) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.split_at_mut_checked(8))
    {
        let Some((length, checksum)) = head.split_first_chunk_mut::<4>() else {
            return;
        };
        let Ok(length) = usize::try_from(u32::from_le_bytes(*length)) else {
            return;
        };
        let Some(payload) = rest.get(..length).filter(|payload| !payload.is_empty()) else {
            return;
        };
        checksum.copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        at += (8 + length).next_multiple_of(8);
    }
}
