//! Settings from environment variables.
//!
//! | variable | sets |
//! |---|---|
//! | `PYTEST_HOST_SINKS=publish,pubdir` | `sinks` |
//! | `PYTEST_HOST_SINK__PUBLISH__URL=…` | `url` in `[sink.publish]` |
//! | `PYTEST_HOST_LIMIT__TEXT=1 MiB` | `limit.text`; likewise `limit.journal` |
//! | `PYTEST_HOST_KEEP__RUNS=100` | `keep.runs` |
//! | `PYTEST_HOST_PAUSE__FILES=false` | `pause.files` |
//! | `PYTEST_HOST_SERVE__LISTEN=127.0.0.1:8000` | `serve.listen` |
//!
//! Names are taken in lower case, with `-` for a single `_`.

use serde_json::Value;

use super::assignment::value_of;
use super::{Assignment, BadInput, Origin};

const PREFIX: &str = "PYTEST_HOST_";
/// Read by the adapter or the command line, and no settings.
const OTHERS: [&str; 5] = ["ADDRESS", "BINARY", "JOB", "LOG", "PYTHON"];

pub fn assignments(
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Assignment>, BadInput> {
    let mut found: Vec<Assignment> = Vec::new();
    for (name, text) in environment {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let origin = Origin::Environment(name.clone());
        let (path, value) = if key == "SINKS" {
            (vec!["sinks".to_owned()], Value::String(text))
        } else if let Some(rest) = key.strip_prefix("SINK__") {
            (below("sink", rest), value_of(&text))
        } else if let Some(rest) = key.strip_prefix("LIMIT__") {
            let path = vec!["limit".to_owned(), rest.to_ascii_lowercase()];
            (path, value_of(&text))
        } else if let Some(rest) = key.strip_prefix("KEEP__") {
            let path = vec!["keep".to_owned(), rest.to_ascii_lowercase()];
            (path, value_of(&text))
        } else if let Some(rest) = key.strip_prefix("PAUSE__") {
            (below("pause", rest), value_of(&text))
        } else if let Some(rest) = key.strip_prefix("SERVE__") {
            (below("serve", rest), value_of(&text))
        } else if OTHERS.contains(&key) {
            continue;
        } else {
            return Err(BadInput::at(
                &origin,
                "unknown variable; the settings are PYTEST_HOST_SINKS, PYTEST_HOST_SINK__<SINK>__<KEY>, PYTEST_HOST_LIMIT__<KEY>, PYTEST_HOST_KEEP__<KEY>, PYTEST_HOST_PAUSE__<KEY> and PYTEST_HOST_SERVE__<KEY>",
            ));
        };
        found.push(Assignment {
            path,
            value,
            origin,
        });
    }
    // Whatever order the environment has: complaints come in the same one each time.
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The path of a key in the table `top`.
fn below(top: &str, rest: &str) -> Vec<String> {
    let parts = rest
        .split("__")
        .map(|part| part.to_ascii_lowercase().replace('_', "-"));
    std::iter::once(top.to_owned()).chain(parts).collect()
}
