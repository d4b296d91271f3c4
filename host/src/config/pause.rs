//! `[pause]`: what pauses are written to, and who may answer them.

use serde_json::Value;

use super::{Assignment, BadInput, SinkTable, nearest};

/// Keys of the table.
const KEYS: [&str; 2] = ["files", "policy"];

#[derive(Clone, Debug)]
pub struct Pause {
    /// Whether pauses are written to files, as pytest-live-pause does.
    pub files: bool,
    /// `[pause.policy]`: a guest that may answer; without `module` there is none.
    pub policy: SinkTable,
}

impl Default for Pause {
    fn default() -> Self {
        Self {
            files: true,
            policy: SinkTable::default(),
        }
    }
}

impl Pause {
    /// Puts one value in.
    pub fn assign(&mut self, key: &[&str], assignment: &Assignment) -> Result<(), BadInput> {
        let wrong = |should: &str| {
            let name = assignment.path.join(".");
            BadInput::at(&assignment.origin, format!("{name} should be {should}"))
        };
        match (key, &assignment.value) {
            (["files"], Value::Bool(files)) => self.files = *files,
            (["files"], _) => return Err(wrong("true or false")),
            ([] | ["policy"], Value::Object(_)) => {}
            ([] | ["policy"], _) => return Err(wrong("a table")),
            (["policy", key @ ..], _) => {
                let Assignment { value, origin, .. } = assignment.clone();
                self.policy.assign("pause.policy", key, value, origin)?;
            }
            ([key, ..], _) => {
                let hint = nearest(key, KEYS)
                    .unwrap_or_else(|| format!("; the keys here are {}", KEYS.join(", ")));
                let name = assignment.path.join(".");
                let problem = format!("unknown key {name:?}{hint}");
                return Err(BadInput::at(&assignment.origin, problem));
            }
        }
        Ok(())
    }
}
