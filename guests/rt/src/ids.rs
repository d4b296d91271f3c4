//! Names that are the same however often they are made: a restarted sink goes on with those of the one before.

use md5::{Digest, Md5};
use pytest_host_sdk::{Session, python};
use uuid::Uuid;

/// How many digits of a test's id are used where it is made of the user's.
const DIGITS: usize = 31;

/// What makes the ids of one run.
#[derive(Clone, Debug)]
pub struct Ids {
    pub job: String,
    pub custom: Option<String>,
}

impl Ids {
    pub fn new(session: &Session, job: Option<String>, custom: Option<String>) -> Self {
        let job = job.unwrap_or_else(|| {
            let Session {
                id,
                hostname,
                pid,
                started,
                ..
            } = session;
            let started = python::repr(*started);
            namespaced("session", &format!("{id}\n{hostname}\n{pid}\n{started}")).to_string()
        });
        Self { job, custom }
    }

    /// The id of a test: of this run, or, with an id of the user's, the same in every run that has it.
    pub fn test(&self, nodeid: &str) -> String {
        match &self.custom {
            Some(custom) => {
                let digest = Md5::new()
                    .chain_update(custom)
                    .chain_update(nodeid)
                    .finalize();
                let digits = u128::from_be_bytes(digest.into()).to_string();
                digits.chars().take(DIGITS).collect()
            }
            None => {
                let job =
                    Uuid::parse_str(&self.job).unwrap_or_else(|_| namespaced("job", &self.job));
                Uuid::new_v5(&job, nodeid.as_bytes()).to_string()
            }
        }
    }
}

fn namespaced(kind: &str, name: &str) -> Uuid {
    let name = format!("pytest-host:rt:{kind}:{name}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::workbench::session;

    use super::*;

    fn ids(job: Option<&str>, custom: Option<&str>) -> Ids {
        Ids::new(
            &session(),
            job.map(str::to_owned),
            custom.map(str::to_owned),
        )
    }

    /// As the published plugin made them.
    #[test]
    fn a_custom_id_makes_the_published_ids() {
        let ids = ids(None, Some("CI42"));
        for (test, id) in [
            ("test_alpha_1", "2907477789772773601850950091745"),
            ("test_alpha_2", "2512365674611359793836288689030"),
            ("test_beta[p@q]", "1770059710505394802683487076850"),
            ("test_beta[r]", "1270050129505960347249721037720"),
            ("test_nogroup", "2167354191998651783469974703762"),
            ("test_nogroup_at[s@t]", "2338485999122250948897067150217"),
        ] {
            assert_eq!(ids.test(&format!("groups/test_groups.py::{test}")), id);
        }
    }

    #[test]
    fn ids_are_those_of_the_run() {
        let first = ids(None, None);
        assert_eq!(first.job, ids(None, None).job);
        assert_eq!(Uuid::parse_str(&first.job).unwrap().get_version_num(), 5);
        assert_eq!(first.test("a"), ids(None, None).test("a"));
        assert_ne!(first.test("a"), first.test("b"));

        let mut other = session();
        other.started += 1.0;
        let other = Ids::new(&other, None, None);
        assert_ne!(first.job, other.job);
        assert_ne!(first.test("a"), other.test("a"));
    }

    /// `uuid.uuid5(uuid.UUID("ca92e8cf-b117-4b91-a0f8-e6c0bfff56c1"), "t.py::test_é")`.
    #[test]
    fn a_job_id_is_the_namespace_of_its_tests() {
        let ids = ids(Some("ca92e8cf-b117-4b91-a0f8-e6c0bfff56c1"), None);
        assert_eq!(ids.job, "ca92e8cf-b117-4b91-a0f8-e6c0bfff56c1");
        assert_eq!(
            ids.test("t.py::test_é"),
            "5657e38c-b301-5c54-b0d3-c8c396b6a2f6"
        );
    }

    #[test]
    fn any_text_can_be_a_job_id() {
        let ids = ids(Some("build 7"), None);
        assert_eq!(ids.job, "build 7");
        assert_eq!(
            Uuid::parse_str(&ids.test("a")).unwrap().get_version_num(),
            5
        );
    }
}
