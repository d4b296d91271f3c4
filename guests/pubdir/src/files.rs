//! The file operations that the tree is made of, one system call of consequence each.
//!
//! They are a trait so that tests can let the process die between any two of them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

pub trait Files {
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes an empty file, and fails where one is.
    fn create_file(&self, path: &Path) -> io::Result<()>;
    /// Makes a file, or replaces what is in it.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Adds to the end of a file in one piece, or makes the file.
    fn append(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Names in a folder, in no order; those that are not UTF-8 are not ours, and are left out.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
}

#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<()> {
        File::create_new(path).map(drop)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        fs::write(path, content)
    }

    fn append(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .create(true)
            .open(path)?
            .write_all(content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(told_apart)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path).map_err(told_apart)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        /// How often to start over. Other runs change a folder for a fraction of the time only.
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            match list(path) {
                // WASI looks at each entry, and ends a listing at one that has gone in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => {}
                names => return names,
            }
        }
        list(path)
    }
}

fn list(path: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(io::Result::transpose).collect()
}

/// Gives a folder that is not empty the kind of error that other platforms give it: the standard library does
/// not know WASI's number for it.
fn told_apart(error: io::Error) -> io::Error {
    const NOT_EMPTY: i32 = 55;
    if cfg!(target_os = "wasi") && error.raw_os_error() == Some(NOT_EMPTY) {
        io::ErrorKind::DirectoryNotEmpty.into()
    } else {
        error
    }
}

/// Says which file an error is about; `io::Error` alone does not.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Turns one kind of error into success.
pub trait Unless {
    fn unless(self, kind: io::ErrorKind) -> Self;
}

impl Unless for io::Result<()> {
    fn unless(self, kind: io::ErrorKind) -> Self {
        self.or_else(|error| {
            if error.kind() == kind {
                Ok(())
            } else {
                Err(error)
            }
        })
    }
}

/// Removes a folder and what is in it; fine where there is none.
pub fn remove_all(files: &impl Files, path: &Path) -> io::Result<()> {
    let names = match files.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    for name in names {
        let inner = path.join(name);
        // Which of the two it is, trying tells in one call.
        if files.remove_file(&inner).is_err() {
            remove_all(files, &inner)?;
        }
    }
    files.remove_dir(path)
}
