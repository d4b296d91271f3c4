//! A script that is a sink: built once for what is in it, and kept.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::{BuildError, Project, build, contract};
use crate::guest::cache;
use crate::text::hex;

/// Raised where the same script would be built to something else.
const RECIPE: &str = "1";

/// What was found wrong in this process: the same text is not built in vain again.
static FAILED: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// The SHA-256 of a script's text, in hexadecimal: what `sha256` pins.
///
/// # Errors
///
/// Where it cannot be read.
pub fn digest(script: &Path) -> Result<String, BuildError> {
    let text = std::fs::read(script).map_err(BuildError::io(script))?;
    Ok(hex(&Sha256::digest(text)))
}

/// Whether it was built before, as it is now.
#[must_use]
pub fn is_built(script: &Path) -> bool {
    let known = digest(script)
        .ok()
        .and_then(|digest| place(script, &digest));
    known.is_some_and(|file| file.is_file())
}

/// The component of a script. Where it has to be built, others who want the same wait for it.
///
/// # Errors
///
/// A tool that is missing, or what it found wrong.
pub fn component(script: &Path, tell: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let project = Project::script(script)?;
    let digest = digest(script)?;
    let Some(file) = place(script, &digest) else {
        let scratch = tempfile::tempdir().map_err(BuildError::io(&std::env::temp_dir()))?;
        let file = scratch.path().join("sink.wasm");
        build(&project, &file, tell)?;
        return read(&file);
    };
    if file.is_file() {
        return read(&file);
    }
    let failed = || FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(said) = failed().get(&digest) {
        return Err(BuildError::Failed {
            path: script.display().to_string(),
            said: said.clone(),
        });
    }
    let lock = file.with_extension("lock");
    let lock = File::create(&lock).map_err(BuildError::io(&lock))?;
    lock.lock().map_err(BuildError::io(&file))?;
    if !file.is_file() {
        let built = build(&project, &file, tell);
        if let Err(BuildError::Failed { said, .. }) = &built {
            failed().insert(digest, said.clone());
        }
        built?;
    }
    read(&file)
}

fn read(file: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(file).map_err(BuildError::io(file))
}

/// Where the component is kept, by what the script is made of and with.
fn place(script: &Path, digest: &str) -> Option<PathBuf> {
    let mut hasher = Sha256::new();
    hasher.update(RECIPE);
    hasher.update(contract::SINKS);
    hasher.update(script.file_name()?.as_encoded_bytes());
    hasher.update(digest);
    let name = hex(&hasher.finalize());
    Some(cache::folder()?.join(format!("{name}.wasm")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_is_kept_under_changes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("a.py");
        std::fs::write(&script, "one").unwrap();
        let first = digest(&script).unwrap();
        std::fs::write(&script, "two").unwrap();
        let second = digest(&script).unwrap();
        assert_ne!(first, second);
        assert_ne!(place(&script, &first), place(&script, &second));
        assert_ne!(
            place(&script, &first),
            place(&folder.path().join("b.py"), &first),
            "its name is in what it prints"
        );
        assert!(!is_built(&script));
    }

    #[test]
    fn one_that_is_not_there_is_told() {
        let told = component(Path::new("no/such.py"), &mut |_| {}).unwrap_err();
        assert_eq!(told.to_string(), "no/such.py is not there");
    }
}
