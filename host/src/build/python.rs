//! Python, by componentize-py: CPython itself is in the component.

use std::path::Path;
use std::process::Command;

use super::{BuildError, contract, project::Project, tool};

const TOOL: &str = "componentize-py";
const REMEDY: &str = "get it with: pip install componentize-py==0.25.1";
/// What the tool calls the folder of the sources.
const FOLDER: &str = "/0/";

/// Builds a project or a script.
///
/// # Errors
///
/// A tool that is missing, or what Python found wrong.
pub fn build(
    project: &Project,
    scratch: &Path,
    component: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    let program = tool::need(project, TOOL, REMEDY)?;
    tell(&format!(
        "building {} with componentize-py; this takes some 15 s",
        project.entry.display()
    ));
    let wit = contract::write(scratch).map_err(BuildError::io(scratch))?;
    let module = module_name(&project.entry);
    let sources = scratch.join("sources");
    let sources = if let Some(text) = &project.script {
        // Alone, so that what it is made of is known.
        std::fs::create_dir_all(&sources).map_err(BuildError::io(&sources))?;
        let copy = sources.join(format!("{module}.py"));
        std::fs::write(&copy, text).map_err(BuildError::io(&copy))?;
        sources
    } else {
        std::path::absolute(&project.root).map_err(BuildError::io(&project.root))?
    };
    let mut command = Command::new(&program);
    command
        .current_dir(scratch)
        .arg("--wit-path")
        .arg(wit)
        .args(["--world", "sink-guest", "componentize", "--python-path"])
        .arg(&sources)
        .arg(&module)
        .arg("--output")
        .arg(component)
        .env_remove("RUST_BACKTRACE");
    let output = tool::run(&mut command, &program)?;
    if output.status.success() && component.is_file() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(BuildError::Failed {
        path: project.entry.display().to_string(),
        said: explain(&stderr, &project.root).unwrap_or_else(|| tool::said(&output)),
    })
}

/// A module's name has to be one in Python, whatever the file is called.
fn module_name(entry: &Path) -> String {
    let stem = entry.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name == "sink_guest" || name == "wit_world"
    {
        format!("sink_{name}")
    } else {
        name
    }
}

/// Python's own words, out of the tool's: where, and what is wrong.
fn explain(stderr: &str, root: &Path) -> Option<String> {
    let (_, after) = stderr.split_once("AssertionError: ")?;
    let words = after.split("\n\n").next()?.trim_end();
    let lines: Vec<&str> = words.lines().collect();
    let problem = lines.last()?.trim();
    // The innermost place in the sources.
    let place = lines.iter().rev().find_map(|line| {
        let (_, path) = line.split_once(&format!("File \"{FOLDER}"))?;
        let (path, rest) = path.split_once('"')?;
        let line = rest.split_once("line ")?.1;
        let number: String = line.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{}, line {number}", root.join(path).display()))
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
    fn what_python_says_is_told_with_its_place() {
        let stderr = "Traceback (most recent call last):\n  File \"/x/componentize-py\", line 8, in <module>\n    sys.exit(script())\nAssertionError: Traceback (most recent call last):\n  File \"/0/report.py\", line 2, in <module>\n    import json, nosuch\nModuleNotFoundError: No module named 'nosuch'\n\n\nCaused by:\n    ModuleNotFoundError: No module named 'nosuch'\n";
        assert_eq!(
            explain(stderr, Path::new("sinks")).unwrap(),
            "ModuleNotFoundError: No module named 'nosuch' (sinks/report.py, line 2)"
        );
        let stderr = "AssertionError:   File \"/0/report.py\", line 19\n    def handle((self):\n               ^^^\nSyntaxError: Function parameters cannot be parenthesized\n\n\nCaused by:\n";
        assert_eq!(
            explain(stderr, Path::new("")).unwrap(),
            "SyntaxError: Function parameters cannot be parenthesized (report.py, line 19)"
        );
        assert_eq!(explain("no such option", Path::new("")), None);
    }

    #[test]
    fn a_module_has_a_name_that_python_takes() {
        assert_eq!(module_name(Path::new("a/my-report.py")), "my_report");
        assert_eq!(module_name(Path::new("2nd.py")), "sink_2nd");
        assert_eq!(module_name(Path::new("wit_world.py")), "sink_wit_world");
    }
}
