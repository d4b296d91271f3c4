//! What `pubdir` is told.

use std::path::PathBuf;

use pytest_host_results::Outcome;
use pytest_host_sdk::{Misconfiguration, misconfigured};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the tree of results goes.
    pub dir: String,
    /// Which results get a folder.
    #[serde(default)]
    pub filter: Filter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    #[default]
    All,
    /// What did not pass.
    Bad,
    Fail,
}

impl Filter {
    pub fn keeps(self, outcome: Outcome) -> bool {
        match self {
            Self::All => true,
            Self::Bad => outcome != Outcome::Pass,
            Self::Fail => outcome == Outcome::Fail,
        }
    }
}

impl Settings {
    pub fn check(&self) -> Result<(), Misconfiguration> {
        match self.dir.as_str() {
            "" => Err(misconfigured(
                "dir",
                "it is empty; \".\" is the current folder",
            )),
            _ => Ok(()),
        }
    }

    /// The folder, under the name that it is preopened under.
    pub fn folder(&self) -> PathBuf {
        match self.dir.trim_end_matches('/') {
            // All that was there was slashes.
            "" => PathBuf::from("/"),
            dir => PathBuf::from(dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<Settings, Misconfiguration> {
        let settings: Settings = pytest_host_sdk::parse_settings(json)?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn slashes_at_the_end_are_nothing() {
        for (dir, folder) in [
            ("a/b//", "a/b"),
            ("/", "/"),
            (".", "."),
            ("./", "."),
            ("/r", "/r"),
        ] {
            let settings = settings(&format!(r#"{{"dir": "{dir}"}}"#)).unwrap();
            assert_eq!(settings.folder(), PathBuf::from(folder));
        }
    }

    #[test]
    fn keeps_all_by_default() {
        assert_eq!(settings(r#"{"dir": "r"}"#).unwrap().filter, Filter::All);
    }

    #[test]
    fn says_what_is_wrong() {
        let fault = |json| {
            let Misconfiguration { key, problem } = settings(json).unwrap_err();
            (key.unwrap_or_default(), problem)
        };
        assert_eq!(
            fault("{}"),
            ("dir".into(), "missing, and there is no default".into())
        );
        assert_eq!(fault(r#"{"dir": ""}"#).0, "dir");
        assert_eq!(
            fault(r#"{"dir": "r", "filter": "failed"}"#),
            (
                "filter".into(),
                r#"unknown value "failed"; did you mean "fail"?"#.into()
            )
        );
    }
}
