//! Names of topics.

/// Bytes of a name that a guest publishes under.
const LONGEST: usize = 128;
/// The host's own.
const OWN: [&str; 3] = ["jobs", "runs", "pauses"];
const OWN_FOLDERS: [&str; 2] = ["run/", "job/"];

/// Whether only the host publishes there.
#[must_use]
pub fn is_of_the_host(name: &str) -> bool {
    OWN.contains(&name) || OWN_FOLDERS.iter().any(|start| name.starts_with(start))
}

/// Whether a guest may use it, apart from those that are the host's.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["relay", "a/b.c-d_E9", &"x".repeat(LONGEST)] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "a b", "é", "a\n", &"x".repeat(LONGEST + 1)] {
            assert!(!is_valid(name), "{name}");
        }
    }

    #[test]
    fn some_names_are_the_hosts() {
        for name in ["jobs", "runs", "pauses", "run/x", "job/1/output", "job/"] {
            assert!(is_of_the_host(name), "{name}");
        }
        for name in ["relay", "runs/x", "running", "job"] {
            assert!(!is_of_the_host(name), "{name}");
        }
    }
}
