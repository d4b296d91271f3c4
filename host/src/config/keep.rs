//! `keep`: how much of old runs stays.

use std::time::Duration;

use super::{Assignment, BadInput, nearest, table};

/// The keys of `keep`.
const KEYS: [&str; 3] = ["runs", "age", "size"];

/// What old runs may come to; none is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many there may be.
    pub runs: Option<u64>,
    /// How long ago they may have come here and told something.
    pub age: Option<Duration>,
    /// The bytes of all of them.
    pub size: Option<u64>,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            runs: Some(100),
            age: Some(Duration::from_hours(30 * 24)),
            size: Some(1 << 30),
        }
    }
}

impl Keep {
    /// Puts one value in; `key` is what stands behind `keep.`.
    pub(super) fn assign(&mut self, key: &str, assignment: &Assignment) -> Result<(), BadInput> {
        let value = &assignment.value;
        let wrong = |should: &str| {
            BadInput::at(
                &assignment.origin,
                format!("keep.{key} should be {should}, or 0 for no limit"),
            )
        };
        // 0 is no size and no time to `table`.
        let unlimited = *value == 0 || *value == "0";
        match key {
            "runs" => {
                let runs = value.as_u64();
                self.runs = Some(runs.ok_or_else(|| wrong("a number of runs, such as 100"))?)
                    .filter(|runs| *runs > 0);
            }
            "age" if unlimited => self.age = None,
            "age" => {
                self.age =
                    Some(table::time(value).map_err(|_| wrong("a time, such as \"30 days\""))?);
            }
            "size" if unlimited => self.size = None,
            "size" => {
                self.size =
                    Some(table::bytes(value).map_err(|_| wrong("a size, such as \"1 GiB\""))?);
            }
            _ => {
                let hint = nearest(key, KEYS)
                    .unwrap_or_else(|| format!("; known are {}", KEYS.join(", ")));
                return Err(BadInput::at(
                    &assignment.origin,
                    format!("unknown key {:?}{hint}", format!("keep.{key}")),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn keep(text: &str) -> Result<Keep, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), text).unwrap();
        let config = Config::load(folder.path(), []);
        config.map(|config| config.keep).map_err(|bad| bad.0)
    }

    #[test]
    fn what_is_kept_is_set_in_the_file() {
        assert_eq!(keep(""), Ok(Keep::default()));
        assert_eq!(keep("[keep]\n"), Ok(Keep::default()));
        let small = Keep {
            runs: Some(3),
            age: Some(Duration::from_hours(48)),
            size: Some(10 << 20),
        };
        let text = "keep.runs = 3\nkeep.age = \"2 days\"\nkeep.size = \"10 MiB\"\n";
        assert_eq!(keep(text), Ok(small));
        let all = Keep {
            runs: None,
            age: None,
            size: None,
        };
        assert_eq!(keep("[keep]\nruns = 0\nage = 0\nsize = \"0\"\n"), Ok(all));
    }

    #[test]
    fn variables_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), "keep.runs = 3\n").unwrap();
        let variables = [
            ("PYTEST_HOST_KEEP__RUNS".to_owned(), "7".to_owned()),
            ("PYTEST_HOST_KEEP__AGE".to_owned(), "1 h".to_owned()),
        ];
        let keep = Config::load(folder.path(), variables).unwrap().keep;
        assert_eq!(keep.runs, Some(7));
        assert_eq!(keep.age, Some(Duration::from_hours(1)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let problem = |text: &str| keep(text).unwrap_err();
        insta::assert_snapshot!(problem("keep.runs = -1"), @"host.toml:1: keep.runs should be a number of runs, such as 100, or 0 for no limit");
        insta::assert_snapshot!(problem("\nkeep.age = \"soon\""), @r#"host.toml:2: keep.age should be a time, such as "30 days", or 0 for no limit"#);
        insta::assert_snapshot!(problem("keep.size = true"), @r#"host.toml:1: keep.size should be a size, such as "1 GiB", or 0 for no limit"#);
        insta::assert_snapshot!(problem("keep.sise = 1"), @r#"host.toml:1: unknown key "keep.sise"; did you mean "size"?"#);
        insta::assert_snapshot!(problem("keep = 3"), @r#"host.toml:1: unknown key "keep"; did you mean "keep.age"?"#);
    }
}
