//! Programs that build, and where they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::BuildError;
use super::project::Project;

/// Folders of a project in which its own tools are.
const OWN: [&str; 3] = [".venv/bin", "venv/bin", "node_modules/.bin"];
/// Lines of a tool's output that are shown where nothing else is known of it.
const LINES: usize = 20;

/// The program `tool`, without which nothing can be built: the project's own, or else the one on the path.
///
/// # Errors
///
/// Where it is not there; `remedy` says how to get it.
pub fn need(
    project: &Project,
    tool: &'static str,
    remedy: &'static str,
) -> Result<PathBuf, BuildError> {
    let root = std::path::absolute(&project.root).map_err(BuildError::io(&project.root))?;
    let own = OWN.iter().map(|folder| root.join(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = own
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(tool));
    let found = programs.find(|program| is_program(program));
    found.ok_or(BuildError::MissingTool {
        tool,
        language: project.language,
        remedy,
    })
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Runs a tool to its end, with nothing to ask anybody.
///
/// # Errors
///
/// Where it cannot be started.
pub fn run(command: &mut Command, program: &Path) -> Result<Output, BuildError> {
    tracing::debug!("{command:?}");
    command
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::io(program))
}

/// The last lines of what a tool said.
#[must_use]
pub fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
    let from = lines.len().saturating_sub(LINES);
    let last = lines.get(from..).unwrap_or_default().join("\n");
    if last.is_empty() {
        format!("the tool ended with {}", output.status)
    } else {
        last
    }
}
