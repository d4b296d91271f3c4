//! Folders: the only thing of WASI that is granted. No arguments, environment,
//! standard streams, sockets or name look-ups.

use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::guest::grants::{Access, FolderGrant};

/// A WASI context that has the granted folders and nothing else.
///
/// # Errors
///
/// Where a folder cannot be opened.
pub fn context(folders: &[FolderGrant]) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    // Each store has a thread of its own, so a blocking call holds up nobody;
    // file calls are five times cheaper for it.
    builder.allow_blocking_current_thread(true);
    builder.allow_tcp(false).allow_udp(false);
    for folder in folders {
        let access = match folder.access {
            Access::Read => FsPerms::ReadOnly,
            Access::Write => FsPerms::ReadWrite,
        };
        builder.preopened_dir(&folder.host, &folder.guest, access)?;
    }
    Ok(builder.build())
}
