//! `redact`: what the adapter takes out of texts before it writes them.

use serde::{Deserialize, Serialize};

use super::{Assignment, BadInput};

/// As `welcome` carries it. The patterns are Python's, so that Python alone can tell
/// whether they are any good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redact {
    pub patterns: Vec<String>,
    /// Where they are written, for complaints.
    pub origin: Option<String>,
    /// Whether common tokens are taken out as well.
    pub builtin: bool,
}

impl Default for Redact {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            origin: None,
            builtin: true,
        }
    }
}

impl Redact {
    pub(super) fn set_patterns(&mut self, assignment: &Assignment) -> Result<(), BadInput> {
        self.patterns = serde_json::from_value(assignment.value.clone()).map_err(|_| {
            BadInput::at(
                &assignment.origin,
                "redact should be a list of regular expressions, such as ['tok_[0-9a-f]{32}']",
            )
        })?;
        self.origin = Some(assignment.origin.to_string());
        Ok(())
    }

    pub(super) fn set_builtin(&mut self, assignment: &Assignment) -> Result<(), BadInput> {
        self.builtin = assignment.value.as_bool().ok_or_else(|| {
            BadInput::at(&assignment.origin, "redact-builtin should be true or false")
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn redact(text: &str) -> Result<Redact, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), text).unwrap();
        let config = Config::load(folder.path(), []);
        config.map(|config| config.redact).map_err(|bad| bad.0)
    }

    #[test]
    fn patterns_come_with_their_place() {
        assert_eq!(redact(""), Ok(Redact::default()));
        assert!(Redact::default().builtin);
        let own = Redact {
            patterns: vec!["a[".into(), "b".into()],
            origin: Some("host.toml:2".into()),
            builtin: false,
        };
        let text = "redact-builtin = false\nredact = ['a[', 'b']\n";
        assert_eq!(redact(text), Ok(own));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let problem = |text: &str| redact(text).unwrap_err();
        insta::assert_snapshot!(problem("redact = 'a'"), @"host.toml:1: redact should be a list of regular expressions, such as ['tok_[0-9a-f]{32}']");
        insta::assert_snapshot!(problem("redact = [1]"), @"host.toml:1: redact should be a list of regular expressions, such as ['tok_[0-9a-f]{32}']");
        insta::assert_snapshot!(problem("redact-builtin = 'no'"), @"host.toml:1: redact-builtin should be true or false");
        insta::assert_snapshot!(problem("redact-builtins = false"), @r#"host.toml:1: unknown key "redact-builtins"; did you mean "redact-builtin"?"#);
    }
}
