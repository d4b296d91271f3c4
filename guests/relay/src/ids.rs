//! Names that are the same however often they are made: what comes again is known by them.

use pytest_host_sdk::{Session, python};
use uuid::Uuid;

/// What makes the ids of one run.
#[derive(Clone, Debug)]
pub struct Ids {
    /// The session's, as the user has it or one of our own.
    pub session: String,
    run: Uuid,
}

impl Ids {
    pub fn new(session: &Session, given: Option<String>) -> Self {
        let Session {
            id,
            hostname,
            pid,
            started,
            ..
        } = session;
        let started = python::repr(*started);
        let name = format!("pytest-host:relay:session:{id}\n{hostname}\n{pid}\n{started}");
        let run = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        Self {
            session: given.unwrap_or_else(|| run.to_string()),
            run,
        }
    }

    /// The id of one of the records that the event `seq` comes to. A session id may be that of several runs,
    /// a record's is not.
    pub fn record(&self, seq: u64, part: usize) -> String {
        Uuid::new_v5(&self.run, format!("{seq}:{part}").as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use pytest_host_sdk::samples::session;

    use super::*;

    #[test]
    fn ids_are_those_of_the_run() {
        let ids = Ids::new(&session(), None);
        assert_eq!(ids.session, Ids::new(&session(), None).session);
        assert_eq!(Uuid::parse_str(&ids.session).unwrap().get_version_num(), 5);
        assert_eq!(ids.record(3, 1), ids.record(3, 1));
        assert_ne!(ids.record(3, 1), ids.record(3, 2));
        assert_ne!(ids.record(3, 1), ids.record(31, 1));

        let other = Session {
            pid: 2,
            ..session()
        };
        let other = Ids::new(&other, Some("S1".to_owned()));
        assert_eq!(other.session, "S1");
        assert_ne!(ids.record(3, 1), other.record(3, 1));
    }
}
