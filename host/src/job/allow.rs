//! What a job may choose: `[serve]`'s keys `job.…`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::JobError;

/// What the configuration allows.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    /// Folders that jobs may run in, and in those below.
    pub directories: Vec<PathBuf>,
    /// Names of variables, in which `*` stands for anything.
    pub environment: Vec<String>,
    pub interpreters: Vec<PathBuf>,
}

impl Allow {
    /// The folder that `wanted` is, where jobs may run in it.
    ///
    /// # Errors
    ///
    /// Where they may not. A folder that is not there is answered in the same words, or
    /// whoever asks learns what there is elsewhere.
    pub fn directory(&self, server: &Path, wanted: &Path) -> Result<PathBuf, JobError> {
        let found = std::fs::canonicalize(server.join(wanted))
            .ok()
            .filter(|found| found.is_dir());
        let roots = self.directories.iter().map(PathBuf::as_path);
        let within = |found: &PathBuf| {
            roots
                .chain([server])
                .filter_map(|root| std::fs::canonicalize(root).ok())
                .enumerate()
                // Of the server's own folder, not what is below it.
                .any(|(index, root)| match index == self.directories.len() {
                    true => *found == root,
                    false => found.starts_with(root),
                })
        };
        found.filter(within).ok_or_else(|| {
            JobError::Forbidden(format!(
                "cwd: {wanted:?} is no folder that jobs may run in: job.directories in [serve] names those that they may"
            ))
        })
    }

    /// The interpreter that `wanted` is, where jobs may use it.
    ///
    /// # Errors
    ///
    /// Where they may not.
    pub fn interpreter(
        &self,
        server: &Path,
        default: &Path,
        wanted: &Path,
    ) -> Result<PathBuf, JobError> {
        let found = interpreter(&server.join(wanted));
        let mut allowed = self
            .interpreters
            .iter()
            .map(PathBuf::as_path)
            .chain([default]);
        found
            .filter(|found| {
                allowed.any(|path| interpreter(&server.join(path)).as_ref() == Some(found))
            })
            .ok_or_else(|| {
                JobError::Forbidden(format!(
                    "python: {wanted:?} is no interpreter that jobs may use: job.interpreters in [serve] names those that they may"
                ))
            })
    }

    /// Whether jobs may set these variables.
    ///
    /// # Errors
    ///
    /// Where they may not, or no variable can have that name or value.
    pub fn environment(&self, wanted: &BTreeMap<String, String>) -> Result<(), JobError> {
        for (name, value) in wanted {
            let place = || ["env".into(), name.as_str().into()];
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(JobError::unfit(place(), "no variable can have this name"));
            }
            if value.contains('\0') {
                return Err(JobError::unfit(place(), "no variable can have this value"));
            }
            // They are the host's own.
            let ours = name.starts_with("PYTEST_HOST");
            if ours || !self.environment.iter().any(|glob| matches(glob, name)) {
                return Err(JobError::Forbidden(format!(
                    "env: jobs may not set {name:?}: job.environment in [serve] names the variables that they may"
                )));
            }
        }
        Ok(())
    }
}

/// The folder is resolved, the last name is not: that of a virtual environment is a link to
/// the interpreter that it was made with, which would run without its packages; and a link
/// elsewhere, to one that is allowed, would run with whatever lies beside it.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let folder = std::fs::canonicalize(path.parent()?).ok()?;
    Some(folder.join(path.file_name()?))
}

/// Whether `name` is what `glob` says, in which `*` stands for any text.
fn matches(glob: &str, name: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else {
        return glob == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.split_once(part) {
            Some((_, behind)) => name = behind,
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_star_stands_for_any_text() {
        for (glob, name, fits) in [
            ("CI", "CI", true),
            ("CI", "CI_X", false),
            ("CI_*", "CI_", true),
            ("CI_*", "ACI_X", false),
            ("*_URL", "A_URL", true),
            ("*_URL", "A_URLS", false),
            ("A*B*C", "A1B2C", true),
            ("A*B*C", "A1C", false),
            ("A*A", "A", false),
            ("*", "anything", true),
            ("", "X", false),
        ] {
            assert_eq!(matches(glob, name), fits, "{glob} {name}");
        }
    }

    #[test]
    fn folders_are_compared_where_they_really_are() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        for folder in ["server/sub", "root/a", "elsewhere"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        symlink(base.join("elsewhere"), base.join("root/out")).unwrap();
        symlink(base.join("root/a"), base.join("elsewhere/in")).unwrap();
        std::fs::write(base.join("root/file"), "").unwrap();
        let allow = Allow {
            directories: vec![base.join("root")],
            ..Allow::default()
        };
        let server = base.join("server");
        let ask = |wanted: &str| allow.directory(&server, Path::new(wanted)).ok();
        assert_eq!(ask("../root/a"), Some(base.join("root/a")));
        assert_eq!(ask("../elsewhere/in"), Some(base.join("root/a")));
        assert_eq!(ask("."), Some(server.clone()), "where jobs run anyway");
        for refused in [
            "sub",
            "../root/out",
            "../root/a/../..",
            "../root/file",
            "../root/no",
        ] {
            assert_eq!(ask(refused), None, "{refused}");
        }
        let none = Allow::default().directory(&server, &base.join("root"));
        assert!(none.unwrap_err().to_string().contains("job.directories"));
    }

    #[test]
    fn an_interpreter_is_its_environments() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        for folder in ["usr", "good/bin", "evil/bin"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        std::fs::write(base.join("usr/python"), "").unwrap();
        for env in ["good", "evil"] {
            symlink(base.join("usr/python"), base.join(env).join("bin/python")).unwrap();
        }
        symlink(base.join("good"), base.join("latest")).unwrap();
        let allow = Allow {
            interpreters: vec![base.join("good/bin/python")],
            ..Allow::default()
        };
        let default = base.join("usr/python");
        let ask = |wanted: &str| {
            let wanted = allow.interpreter(&base, &default, Path::new(wanted));
            wanted.map_err(|error| error.to_string())
        };
        let good = base.join("good/bin/python");
        assert_eq!(ask("good/bin/python"), Ok(good.clone()));
        assert_eq!(ask("latest/bin/../bin/python"), Ok(good));
        assert_eq!(ask("usr/python"), Ok(default.clone()));
        assert!(ask("evil/bin/python").is_err());
        insta::assert_snapshot!(ask("..").unwrap_err(), @r#"python: ".." is no interpreter that jobs may use: job.interpreters in [serve] names those that they may"#);
    }

    #[test]
    fn variables_are_those_that_are_named() {
        let allow = Allow {
            environment: vec!["CI_*".into(), "PYTEST_*".into()],
            ..Allow::default()
        };
        let ask = |name: &str, value: &str| {
            let wanted = [(name.to_owned(), value.to_owned())].into();
            allow.environment(&wanted)
        };
        assert!(ask("CI_X", "1").is_ok());
        assert!(matches!(ask("PATH", "/"), Err(JobError::Forbidden(_))));
        assert!(matches!(
            ask("PYTEST_HOST_JOB", "x"),
            Err(JobError::Forbidden(_))
        ));
        assert!(matches!(ask("CI_=X", "1"), Err(JobError::Unfit(_))));
        assert!(matches!(ask("CI_X", "\0"), Err(JobError::Unfit(_))));
        assert!(matches!(ask("", "1"), Err(JobError::Unfit(_))));
    }
}
