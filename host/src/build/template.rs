//! New projects: a sink that works, in each language.

use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

use super::{BuildError, Language, contract};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");
/// The crate that sinks in Rust are written with; a project brings it along.
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guests/sdk/src");

/// Names that would hide what a sink needs itself.
const TAKEN_IN_PYTHON: [&str; 12] = [
    "componentize_py_types",
    "dataclasses",
    "json",
    "pathlib",
    "pytest",
    "sink_guest",
    "test",
    "tests",
    "types",
    "typing",
    "urllib",
    "wit_world",
];
const TAKEN_IN_RUST: [&str; 7] = [
    "alloc",
    "core",
    "proc_macro",
    "pytest_host_sdk",
    "std",
    "test",
    "serde",
];

/// Why a name cannot be a project's, as a fragment that follows it; none where it can.
#[must_use]
pub fn problem_with(name: &str, language: Language) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || !name.chars().all(fits) {
        return Some("should be small letters, digits, - and _, a letter first");
    }
    let module = name.replace('-', "_");
    let is_taken = match language {
        Language::Python => TAKEN_IN_PYTHON.contains(&module.as_str()),
        Language::Rust => TAKEN_IN_RUST.contains(&module.as_str()),
        Language::JavaScript => name == "node_modules",
    };
    is_taken.then_some("is the name of something that the sink itself uses; take another")
}

/// Makes the project `name` in `folder`, which is empty or not there.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write(folder: &Path, name: &str, language: Language) -> Result<(), BuildError> {
    let of = match language {
        Language::Rust => "rust",
        Language::Python => "python",
        Language::JavaScript => "javascript",
    };
    let mut files = Vec::new();
    if let Some(template) = TEMPLATES.get_dir(of) {
        collect(template, template.path(), &mut files);
    }
    for (path, text) in files {
        let path = named(&path, name);
        let Some(path) = target(&path) else { continue };
        put(&folder.join(path), &rename(&text, name))?;
    }
    if language == Language::Rust {
        bring_sdk(&folder.join("sdk"))?;
    }
    Ok(())
}

/// Files that would be something to cargo or git where they are kept here.
fn target(path: &Path) -> Option<PathBuf> {
    Some(match path.to_str()? {
        "gitignore" => ".gitignore".into(),
        "Cargo.toml.in" => "Cargo.toml".into(),
        "sdk.toml.in" => "sdk/Cargo.toml".into(),
        _ => path.to_owned(),
    })
}

fn bring_sdk(folder: &Path) -> Result<(), BuildError> {
    let mut files = Vec::new();
    collect(&SDK, SDK.path(), &mut files);
    for (path, text) in files {
        // Its tests need more than it does itself.
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        if !is_test {
            let text = text.replace("\"../../wit\"", "\"wit\"");
            put(&folder.join("src").join(path), &text)?;
        }
    }
    put(&folder.join("wit/sinks.wit"), contract::SINKS)
}

fn collect(dir: &Dir<'_>, root: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => collect(dir, root, files),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(root).unwrap_or(file.path());
                // What an editor or an interpreter left is no text.
                if let Some(text) = file.contents_utf8() {
                    files.push((path.to_owned(), text.to_owned()));
                }
            }
        }
    }
}

fn named(path: &Path, name: &str) -> PathBuf {
    rename(&path.to_string_lossy(), name).into()
}

fn rename(text: &str, name: &str) -> String {
    text.replace("sink-name", name)
        .replace("sink_name", &name.replace('-', "_"))
}

fn put(file: &Path, text: &str) -> Result<(), BuildError> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(BuildError::io(folder))?;
    }
    std::fs::write(file, text).map_err(BuildError::io(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Project;

    #[test]
    fn each_language_has_a_project_that_is_found() {
        for language in [Language::Rust, Language::Python, Language::JavaScript] {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), "my-sink", language).unwrap();
            let project = Project::find(folder.path()).unwrap();
            assert_eq!(
                (project.language, project.name.as_str()),
                (language, "my-sink")
            );
            let mut left = Vec::new();
            for entry in walk(folder.path()) {
                let text = std::fs::read_to_string(&entry).unwrap();
                assert!(!entry.to_string_lossy().contains("sink_name"));
                if text.contains("sink-name") || text.contains("sink_name") {
                    left.push(entry);
                }
            }
            assert!(left.is_empty(), "{left:?}");
            assert!(folder.path().join(".gitignore").is_file());
            assert!(folder.path().join("README.md").is_file());
        }
    }

    fn walk(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .flat_map(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused() {
        assert_eq!(problem_with("my-sink_2", Language::Python), None);
        for name in ["", "2nd", "My", "a b", "a/b", "é"] {
            assert!(problem_with(name, Language::Rust).is_some(), "{name}");
        }
        assert!(problem_with("json", Language::Python).is_some());
        assert!(problem_with("json", Language::JavaScript).is_none());
        assert!(problem_with("std", Language::Rust).is_some());
    }
}
