//! A script that is a sink: built once for what is in it, and kept.

use std::collections::HashMap;
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

/// A script as it was read: what is pinned, built and kept is one text, whatever becomes of the
/// file meanwhile.
#[derive(Debug)]
pub struct Script {
    project: Project,
    /// The SHA-256 of its text, in hexadecimal: what `sha256` pins.
    pub digest: String,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// Where it is not there, or is nothing that is built.
    pub fn read(file: &Path) -> Result<Self, BuildError> {
        let project = Project::script(file)?;
        let text = project.script.as_deref().unwrap_or_default();
        let digest = hex(&Sha256::digest(text));
        Ok(Self { project, digest })
    }

    /// Whether it was built before, as it is now.
    #[must_use]
    pub fn is_built(&self) -> bool {
        self.place().is_some_and(|file| file.is_file())
    }

    /// Its component. Where it has to be built, others who want the same wait for it.
    ///
    /// # Errors
    ///
    /// A tool that is missing, or what it found wrong.
    pub fn component(&self, tell: &mut dyn FnMut(&str)) -> Result<Vec<u8>, BuildError> {
        let Some(file) = self.place() else {
            let scratch = tempfile::tempdir().map_err(BuildError::io(&std::env::temp_dir()))?;
            let file = scratch.path().join("sink.wasm");
            build(&self.project, &file, tell)?;
            return read(&file);
        };
        if file.is_file() {
            return read(&file);
        }
        let failed = || FAILED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = failed().get(&self.digest) {
            return Err(BuildError::Failed {
                path: self.project.entry.display().to_string(),
                said: said.clone(),
            });
        }
        let _turn = cache::wait_for_turn(&file).map_err(BuildError::io(&file))?;
        if !file.is_file() {
            let built = build(&self.project, &file, tell);
            if let Err(BuildError::Failed { said, .. }) = &built {
                failed().insert(self.digest.clone(), said.clone());
            }
            built?;
        }
        read(&file)
    }

    /// Where the component is kept, by what the script is made of and with.
    fn place(&self) -> Option<PathBuf> {
        let mut hasher = Sha256::new();
        hasher.update(RECIPE);
        hasher.update(contract::SINKS);
        hasher.update(self.project.entry.file_name()?.as_encoded_bytes());
        hasher.update(&self.digest);
        let name = hex(&hasher.finalize());
        Some(cache::folder()?.join(format!("{name}.wasm")))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(file).map_err(BuildError::io(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_is_kept_under_changes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.py"), folder.path().join("b.py"));
        std::fs::write(&a, "one").unwrap();
        std::fs::write(&b, "one").unwrap();
        let [first, other] = [&a, &b].map(|file| Script::read(file).unwrap());
        std::fs::write(&a, "two").unwrap();
        let second = Script::read(&a).unwrap();
        assert_ne!(first.digest, second.digest);
        assert_ne!(first.place(), second.place());
        assert_eq!(first.digest, other.digest);
        assert_ne!(
            first.place(),
            other.place(),
            "its name is in what it prints"
        );
        assert!(!first.is_built());
    }

    #[test]
    fn one_that_is_not_there_is_told() {
        let told = Script::read(Path::new("no/such.py")).unwrap_err();
        assert_eq!(told.to_string(), "no/such.py is not there");
    }
}
