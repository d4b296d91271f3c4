//! JavaScript, by jco with the QuickJS engine; TypeScript by way of esbuild.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BuildError, contract, project::Project, tool};

const TOOL: &str = "jco";
const REMEDY: &str =
    "get it with: npm install @bytecodealliance/jco@1.35 (in the project, or anywhere on the path)";
const BUNDLER: &str = "esbuild";
const BUNDLER_REMEDY: &str = "get it with: npm install esbuild";
/// Modules that the host stands for.
const OURS: [&str; 2] = ["pytest-host:*", "wasi:*"];

/// Builds a project or a script.
///
/// # Errors
///
/// A tool that is missing, or what it found wrong.
pub fn build(
    project: &Project,
    scratch: &Path,
    component: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    let program = tool::need(project, TOOL, REMEDY)?;
    tell(&format!(
        "building {} with jco; this takes some 3 s",
        project.entry.display()
    ));
    let source = source(project, scratch)?;
    let text = std::fs::read_to_string(&source).map_err(BuildError::io(&project.entry))?;
    if !text.contains("sink") {
        return Err(failed(
            project,
            "it exports no sink: `export const sink = { configure, open, handle, close }`",
        ));
    }
    let has_files = text.contains("wasi:filesystem");
    let (wit, world) = if has_files {
        (contract::write_with_files(scratch), "sink-guest-files")
    } else {
        (contract::write(scratch), "sink-guest")
    };
    let wit = wit.map_err(BuildError::io(scratch))?;
    let mut command = Command::new(&program);
    command
        .current_dir(scratch)
        .arg("componentize")
        .arg(&source)
        .arg("--wit")
        .arg(wit)
        .args(["--world-name", world])
        .args(["--backend", "quickjs", "--backend-qjs-disable-async"])
        .arg("--out")
        .arg(component);
    if !has_files {
        // It imports the contract alone then.
        command.arg("--backend-qjs-stub-wasi");
    }
    let output = tool::run(&mut command, &program)?;
    if output.status.success() && component.is_file() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = explain(&stderr, project).unwrap_or_else(|| tool::said(&output));
    Err(failed(project, &said))
}

fn failed(project: &Project, said: &str) -> BuildError {
    BuildError::Failed {
        path: project.entry.display().to_string(),
        said: said.to_owned(),
    }
}

/// The module that is built: the project's own; a script's copy, alone; or what a bundler made of
/// TypeScript.
fn source(project: &Project, scratch: &Path) -> Result<PathBuf, BuildError> {
    let entry = std::path::absolute(&project.entry).map_err(BuildError::io(&project.entry))?;
    let is_typescript = entry.extension().is_some_and(|extension| extension == "ts");
    let source = if let Some(text) = &project.script {
        let copy = scratch.join(entry.file_name().unwrap_or_default());
        std::fs::write(&copy, text).map_err(BuildError::io(&copy))?;
        copy
    } else {
        entry
    };
    if is_typescript {
        bundle(project, &source, &scratch.join("bundle.js"))
    } else {
        Ok(source)
    }
}

fn bundle(project: &Project, source: &Path, out: &Path) -> Result<PathBuf, BuildError> {
    let program = tool::need(project, BUNDLER, BUNDLER_REMEDY)?;
    let mut command = Command::new(&program);
    command
        .arg(source)
        .args(["--bundle", "--format=esm", "--platform=neutral"])
        .args(["--log-level=error", "--color=false"])
        .args(OURS.map(|ours| format!("--external:{ours}")))
        .arg(format!("--outfile={}", out.display()));
    let output = tool::run(&mut command, &program)?;
    if output.status.success() {
        return Ok(out.to_owned());
    }
    Err(failed(project, tool::said(&output).trim()))
}

/// The engine's own words, out of the tool's: what is wrong, and where.
fn explain(stderr: &str, project: &Project) -> Option<String> {
    let line = stderr.lines().find(|line| line.contains("Error: "))?;
    let problem = line.rsplit("Error: ").next()?.trim();
    let place = stderr.lines().find_map(|line| {
        let place = line.trim().strip_prefix("at /")?;
        let mut parts = place.rsplitn(3, ':');
        let (_, number, file) = (parts.next()?, parts.next()?, parts.next()?);
        number.parse::<u32>().ok()?;
        Some(format!(
            "{}, line {number}",
            project.root.join(file).display()
        ))
    });
    Some(match place {
        Some(place) => format!("{problem} ({place})"),
        None => problem.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("b.js");
        std::fs::write(&file, "").unwrap();
        let project = Project {
            root: "sinks".into(),
            ..Project::script(&file).unwrap()
        };
        let stderr = "[Error: : Failed to evaluate user JavaScript module: Failed to declare JavaScript module: Error: unexpected token in expression: ''\n    at /b.js:2:1\n] {\n  code: 'GenericFailure'\n}\n";
        assert_eq!(
            explain(stderr, &project).unwrap(),
            "unexpected token in expression: '' (sinks/b.js, line 2)"
        );
        assert_eq!(explain("jco: no such command", &project), None);
    }
}
