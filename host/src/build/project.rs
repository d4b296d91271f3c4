//! What there is to build.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::BuildError;

/// A language that sinks are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Rust,
    Python,
    /// TypeScript as well.
    #[value(name = "javascript")]
    JavaScript,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        })
    }
}

/// A sink's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub language: Language,
    /// The folder that it is in.
    pub root: PathBuf,
    pub name: String,
    /// The file that has the sink in it; for Rust `Cargo.toml`.
    pub entry: PathBuf,
    /// The text of a script, as it was read: it is built alone, without what is beside it.
    pub script: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Cargo {
    package: Option<Named>,
}

#[derive(Deserialize)]
struct PyProject {
    project: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Package {
    name: Option<String>,
    main: Option<String>,
}

impl Project {
    /// The project in a folder.
    ///
    /// # Errors
    ///
    /// Where there is none, or its file cannot be read.
    pub fn find(folder: &Path) -> Result<Self, BuildError> {
        let not = |problem: &str| BuildError::NotAProject {
            path: folder.display().to_string(),
            problem: problem.to_owned(),
        };
        if folder.is_file() {
            return Self::script(folder);
        }
        if !folder.is_dir() {
            return Err(not("is not there"));
        }
        if folder.join("Cargo.toml").is_file() {
            return Self::rust(folder);
        }
        if folder.join("package.json").is_file() {
            return Self::javascript(folder);
        }
        if folder.join("pyproject.toml").is_file() {
            return Self::python(folder);
        }
        Err(not(
            "is no sink's project: it has no Cargo.toml, pyproject.toml or package.json; `host sink new NAME --lang …` makes one",
        ))
    }

    /// A sink that is one file: `.py`, `.js`, `.mjs` or `.ts`.
    ///
    /// # Errors
    ///
    /// Where it is not there, or is nothing that is built.
    pub fn script(file: &Path) -> Result<Self, BuildError> {
        let language = language_of(file).ok_or_else(|| BuildError::NotAProject {
            path: file.display().to_string(),
            problem: "is no script: its name should end with .py, .js, .mjs or .ts".to_owned(),
        })?;
        if !file.is_file() {
            return Err(BuildError::NotAProject {
                path: file.display().to_string(),
                problem: "is not there".to_owned(),
            });
        }
        let stem = file.file_stem().unwrap_or_default();
        Ok(Self {
            language,
            root: folder_of(file).to_owned(),
            name: stem.to_string_lossy().into_owned(),
            entry: file.to_owned(),
            script: Some(std::fs::read(file).map_err(BuildError::io(file))?),
        })
    }

    fn rust(root: &Path) -> Result<Self, BuildError> {
        let entry = root.join("Cargo.toml");
        let package = toml::from_str::<Cargo>(&read(&entry)?)
            .map_err(|error| wrong(&entry, &error))?
            .package;
        let package = package.ok_or_else(|| wrong(&entry, &"it has no [package]"))?;
        Ok(Self::of(Language::Rust, root, package.name, entry))
    }

    fn python(root: &Path) -> Result<Self, BuildError> {
        let file = root.join("pyproject.toml");
        let project = toml::from_str::<PyProject>(&read(&file)?)
            .map_err(|error| wrong(&file, &error))?
            .project;
        let name = project
            .ok_or_else(|| wrong(&file, &"it has no [project]"))?
            .name;
        let entry = root.join(format!("{}.py", name.replace('-', "_")));
        if !entry.is_file() {
            return Err(BuildError::NotAProject {
                path: entry.display().to_string(),
                problem: format!(
                    "is not there; by the name in {} the class Sink is in it",
                    file.display()
                ),
            });
        }
        Ok(Self::of(Language::Python, root, name, entry))
    }

    fn javascript(root: &Path) -> Result<Self, BuildError> {
        let file = root.join("package.json");
        let package: Package =
            serde_json::from_str(&read(&file)?).map_err(|error| wrong(&file, &error))?;
        let name = package
            .name
            .ok_or_else(|| wrong(&file, &"it has no \"name\""))?;
        let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let entry = match package.main {
            Some(main) => root.join(main),
            None => {
                let names = ["ts", "js", "mjs"].map(|extension| format!("{name}.{extension}"));
                let mut files = names.iter().map(|name| root.join(name));
                let found = files.find(|file| file.is_file());
                found.unwrap_or_else(|| root.join(format!("{name}.js")))
            }
        };
        if !entry.is_file() {
            return Err(BuildError::NotAProject {
                path: entry.display().to_string(),
                problem: format!(
                    "is not there; by {} the sink is exported from it",
                    file.display()
                ),
            });
        }
        Ok(Self::of(Language::JavaScript, root, name, entry))
    }

    fn of(language: Language, root: &Path, name: String, entry: PathBuf) -> Self {
        Self {
            language,
            root: root.to_owned(),
            name,
            entry,
            script: None,
        }
    }

    /// Where its component is left, unless somewhere else is asked for.
    #[must_use]
    pub fn component(&self) -> PathBuf {
        self.root.join(format!("{}.wasm", self.name))
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// The language of a script, by its name.
#[must_use]
pub fn language_of(file: &Path) -> Option<Language> {
    match file.extension()?.to_str()? {
        "py" => Some(Language::Python),
        "js" | "mjs" | "ts" => Some(Language::JavaScript),
        _ => None,
    }
}

fn read(file: &Path) -> Result<String, BuildError> {
    std::fs::read_to_string(file).map_err(BuildError::io(file))
}

fn wrong(file: &Path, problem: &dyn fmt::Display) -> BuildError {
    BuildError::NotAProject {
        path: file.display().to_string(),
        problem: format!("cannot be used: {}", problem.to_string().trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_language_is_found_by_its_file() {
        let python = folder(&[
            ("pyproject.toml", "[project]\nname = \"my-sink\"\n"),
            ("my_sink.py", ""),
        ]);
        let found = Project::find(python.path()).unwrap();
        assert_eq!(found.language, Language::Python);
        assert_eq!(found.entry, python.path().join("my_sink.py"));
        assert_eq!(found.component(), python.path().join("my-sink.wasm"));
        let script = folder(&[
            ("package.json", r#"{"name": "@us/report"}"#),
            ("report.ts", ""),
        ]);
        let found = Project::find(script.path()).unwrap();
        assert_eq!(
            (found.language, found.name.as_str()),
            (Language::JavaScript, "report")
        );
        assert_eq!(found.entry, script.path().join("report.ts"));
        let rust = folder(&[("Cargo.toml", "[package]\nname = \"r\"\n")]);
        assert_eq!(Project::find(rust.path()).unwrap().language, Language::Rust);
    }

    #[test]
    fn what_is_none_is_told_with_what_would_be() {
        let told = |files: &[(&str, &str)], name: &str| {
            let folder = folder(files);
            let error = Project::find(&folder.path().join(name)).unwrap_err();
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "F")
        };
        assert!(told(&[], "").starts_with("F/ is no sink's project: it has no Cargo.toml"));
        assert_eq!(told(&[], "x"), "F/x is not there");
        assert_eq!(
            told(&[("a.rb", "")], "a.rb"),
            "F/a.rb is no script: its name should end with .py, .js, .mjs or .ts"
        );
        assert_eq!(
            told(&[("pyproject.toml", "[project]\nname = 'a'\n")], "."),
            "F/./a.py is not there; by the name in F/./pyproject.toml the class Sink is in it"
        );
        assert_eq!(
            told(&[("package.json", "{}")], "."),
            "F/./package.json cannot be used: it has no \"name\""
        );
    }
}
