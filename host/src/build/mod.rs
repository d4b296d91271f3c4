//! Makes components of sinks' sources: finds the language, runs its tool, leaves one file.

mod contract;
mod javascript;
mod project;
mod python;
mod rust;
mod script;
pub mod template;
mod tool;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use project::{Language, Project, language_of};
pub use script::Script;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{path} {problem}")]
    NotAProject { path: String, problem: String },
    #[error("{tool} is not there, which builds sinks in {language}; {remedy}")]
    MissingTool {
        tool: &'static str,
        language: Language,
        remedy: &'static str,
    },
    /// What the tool said, without what is its own.
    #[error("{path} cannot be built: {said}")]
    Failed { path: String, said: String },
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
}

impl BuildError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            path: path.display().to_string(),
            error,
        }
    }
}

/// A component, as it was left.
#[derive(Debug)]
pub struct Built {
    pub component: PathBuf,
    /// Bytes.
    pub size: u64,
    pub took: Duration,
}

/// Builds a project and leaves its component in `out`, whole or not at all. `tell` gets lines
/// that say what is going on.
///
/// # Errors
///
/// A tool that is missing, or what it found wrong.
pub fn build(
    project: &Project,
    out: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<Built, BuildError> {
    let began = Instant::now();
    let scratch = tempfile::tempdir().map_err(BuildError::io(&std::env::temp_dir()))?;
    let component = scratch.path().join("sink.wasm");
    match project.language {
        Language::Rust => rust::build(project, &component, tell)?,
        Language::Python => python::build(project, scratch.path(), &component, tell)?,
        Language::JavaScript => javascript::build(project, scratch.path(), &component, tell)?,
    }
    keep(&component, out).map_err(BuildError::io(out))?;
    let size = std::fs::metadata(out).map_err(BuildError::io(out))?.len();
    Ok(Built {
        component: out.to_owned(),
        size,
        took: began.elapsed(),
    })
}

/// Moves a file that may be on another file system.
fn keep(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut unfinished = tempfile::Builder::new()
        .prefix(".sink-")
        .tempfile_in(folder)?;
    io::copy(&mut std::fs::File::open(from)?, &mut unfinished)?;
    // As a compiler would leave it, not as a secret.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(unfinished.path(), mode)?;
    }
    unfinished.persist(to)?;
    Ok(())
}
