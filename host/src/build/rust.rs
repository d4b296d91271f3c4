//! Rust, by cargo for `wasm32-wasip2`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{BuildError, project::Project, tool};

const TOOL: &str = "cargo";
const REMEDY: &str = "get it from https://rustup.rs";
const TARGET: &str = "wasm32-wasip2";

/// What cargo says of each thing that it built or found built.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds a package. The compiler's own messages go to standard error as they come.
///
/// # Errors
///
/// A tool that is missing, or a package that does not compile or makes no component.
pub fn build(
    project: &Project,
    component: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    let program = tool::need(project, TOOL, REMEDY)?;
    tell(&format!(
        "building {} with cargo; the first time this takes a minute or two",
        project.root.display()
    ));
    let failed = |said: String| BuildError::Failed {
        path: project.root.display().to_string(),
        said,
    };
    let mut command = Command::new(&program);
    command
        .current_dir(&project.root)
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics");
    tracing::debug!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(BuildError::io(&program))?;
    let manifest = std::fs::canonicalize(&project.entry).map_err(BuildError::io(&project.entry))?;
    let mut made = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(BuildError::io(&program))?;
            let Ok(message) = serde_json::from_str::<Message>(&line) else {
                continue;
            };
            if message.manifest_path.canonicalize().ok().as_ref() == Some(&manifest) {
                let mut files = message.filenames.into_iter();
                made = files
                    .find(|file| {
                        file.extension()
                            .is_some_and(|extension| extension == "wasm")
                    })
                    .or(made);
            }
        }
    }
    let status = child.wait().map_err(BuildError::io(&program))?;
    if !status.success() {
        let hint = if has_target(&program) {
            "cargo says why above".to_owned()
        } else {
            format!("the target {TARGET} is not there; get it with: rustup target add {TARGET}")
        };
        return Err(failed(hint));
    }
    let made = made.ok_or_else(|| {
        failed("it makes no component: [lib] should have crate-type = [\"cdylib\"]".to_owned())
    })?;
    std::fs::copy(&made, component).map_err(BuildError::io(&made))?;
    Ok(())
}

/// Whether the compiler has the target's standard library, as far as can be told.
fn has_target(cargo: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(output) = tool::run(&mut rustc, cargo) else {
        return true;
    };
    let folder = String::from_utf8_lossy(&output.stdout);
    std::fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some())
}
