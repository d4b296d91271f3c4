//! What of a job's arguments is not pytest's.

use super::JobError;

/// The option that names the session.
const SESSION: &str = "--session-id";
/// What makes pytest collect only: jobs have a key for it.
const COLLECT_ONLY: &str = "--collect-only";

/// What stands in a job's list of arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What pytest gets.
    pub args: Vec<String>,
    /// The value of `--session-id`, the last one.
    pub session: Option<String>,
}

impl Arguments {
    /// Takes `--session-id` and `--collect-only` out of `args`, each of which is split
    /// into words before that where `split` says so.
    ///
    /// # Errors
    ///
    /// An argument that cannot be split, or be handed to a process.
    pub fn read(args: Vec<String>, split: bool) -> Result<Self, JobError> {
        let mut words = Vec::new();
        for (index, arg) in args.into_iter().enumerate() {
            let wrong = |problem: &str| JobError::unfit(["args".into(), index.into()], problem);
            if arg.contains('\0') {
                return Err(wrong("an argument cannot have a NUL character"));
            }
            if split {
                let split = shell_words::split(&arg).map_err(|_| {
                    wrong("a quote is not closed; without splitArgs it is taken as it is")
                })?;
                words.extend(split);
            } else {
                words.push(arg);
            }
        }
        Ok(Self::of(words))
    }

    fn of(words: Vec<String>) -> Self {
        let mut args = Vec::with_capacity(words.len());
        let mut session = None;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let value = word.strip_prefix(SESSION);
            if word == "--" {
                // What follows is no option, whatever it looks like.
                args.push(word);
                args.extend(words.by_ref());
            } else if word == COLLECT_ONLY {
            } else if let Some(value) = value.and_then(|rest| rest.strip_prefix('=')) {
                session = Some(value.to_owned());
            } else if value == Some("") {
                match words.next() {
                    Some(value) => session = Some(value),
                    // For pytest to complain about.
                    None => args.push(word),
                }
            } else {
                args.push(word);
            }
        }
        Self { args, session }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(args: &[&str], split: bool) -> Arguments {
        let args = args.iter().copied().map(str::to_owned).collect();
        Arguments::read(args, split).unwrap()
    }

    #[test]
    fn arguments_are_passed_as_given() {
        let odd = ["a b.py::test[it's \"x\"]", "-k", "a or b", "", "$HOME;`id`"];
        assert_eq!(read(&odd, false).args, odd);
    }

    #[test]
    fn the_old_reading_splits_each() {
        let read = read(&["groups -k \"alpha or beta\"", "--session-id SS"], true);
        assert_eq!(read.args, ["groups", "-k", "alpha or beta"]);
        assert_eq!(read.session.as_deref(), Some("SS"));
    }

    #[test]
    fn the_session_id_is_taken_out_in_either_form() {
        for args in [&["--session-id=a", "x"][..], &["x", "--session-id", "a"]] {
            let read = read(args, false);
            assert_eq!(read.args, ["x"]);
            assert_eq!(read.session.as_deref(), Some("a"));
        }
        assert_eq!(read(&["--session-id"], false).args, ["--session-id"]);
        assert_eq!(read(&["--session-ids=a"], false).args, ["--session-ids=a"]);
        let behind = ["--", "--session-id=a", "--collect-only"];
        assert_eq!(read(&behind, false).args, behind);
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_place() {
        let error = Arguments::read(vec!["x".into(), "it's".into()], true).unwrap_err();
        let JobError::Unfit(unfit) = error else {
            panic!("{error}")
        };
        let text = serde_json::to_string(&unfit).unwrap();
        insta::assert_snapshot!(text, @r#"{"type":"value_error","loc":["body","args",1],"msg":"Value error, a quote is not closed; without splitArgs it is taken as it is"}"#);
        assert!(Arguments::read(vec!["a\0b".into()], false).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_no_option_of_ours_stays(args in prop::collection::vec("[^\0-][^\0]*", 0..5)) {
            prop_assert_eq!(Arguments::read(args.clone(), false).unwrap().args, args);
        }
    }
}
