//! The contract as this host carries it, for tools that read it from files.

use std::io;
use std::path::{Path, PathBuf};

pub const SINKS: &str = include_str!("../../../wit/sinks.wit");
/// What guests in JavaScript that write files are of, and the packages of WASI for it.
const FILES: &str = include_str!("../../../wit/javascript/files.wit");
const DEPENDENCIES: [(&str, &str); 3] = [
    (
        "filesystem.wit",
        include_str!("../../../wit/javascript/deps/filesystem.wit"),
    ),
    (
        "io.wit",
        include_str!("../../../wit/javascript/deps/io.wit"),
    ),
    (
        "clocks.wit",
        include_str!("../../../wit/javascript/deps/clocks.wit"),
    ),
];

/// Writes it to a folder in `scratch`.
pub fn write(scratch: &Path) -> io::Result<PathBuf> {
    let folder = scratch.join("wit");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("sinks.wit"), SINKS)?;
    Ok(folder)
}

/// Likewise, with files.
pub fn write_with_files(scratch: &Path) -> io::Result<PathBuf> {
    let folder = write(scratch)?;
    std::fs::write(folder.join("files.wit"), FILES)?;
    let dependencies = folder.join("deps");
    std::fs::create_dir_all(&dependencies)?;
    for (name, text) in DEPENDENCIES {
        std::fs::write(dependencies.join(name), text)?;
    }
    Ok(folder)
}
