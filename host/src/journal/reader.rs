//! A look into the journal of a run that another process may be writing.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use super::schema::FORMAT;
use super::{BatchLimit, DeadLetter, Head, JournalError, Seq, mode, rows, sum};
use crate::guest::bindings::events::Envelope;

/// Readers wait for nobody in this journal mode, but where it is being recovered.
const BUSY: Duration = Duration::from_millis(100);

/// How far a sink has come, in events.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = Sink)]
pub struct SinkProgress {
    pub name: String,
    pub delivered: u64,
    pub set_aside: u64,
    pub left: u64,
    /// It has all of the run.
    pub closed: bool,
    /// It was given up on.
    pub disabled: bool,
    /// The last thing that went wrong.
    pub error: Option<String>,
}

/// Reads a journal and never writes it.
pub struct JournalReader {
    connection: Connection,
    /// Of an event.
    columns: &'static str,
    version: Option<i64>,
}

impl JournalReader {
    /// Opens the journal in `file`; none where its owner is still making it.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, is no journal or is of a newer format.
    pub fn open(file: &Path) -> Result<Option<Self>, JournalError> {
        if !mode::is_ready(file) {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY)?;
        sum::teach(&connection)?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        match found {
            Ok(found) if found > FORMAT => Err(JournalError::Newer {
                found,
                known: FORMAT,
            }),
            // Not made yet. What is read here is the same in every format so far, but for sums.
            Ok(0) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(found) => Ok(Some(Self {
                connection,
                columns: if found < 5 {
                    rows::UNSUMMED
                } else {
                    rows::SUMMED
                },
                version: None,
            })),
        }
    }

    /// Whether anything was written since this was asked last.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn has_changed(&mut self) -> Result<bool, JournalError> {
        let version = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok(self.version.replace(version) != Some(version))
    }

    /// The last event, and whether more may follow.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn head(&self) -> Result<Head, JournalError> {
        rows::head(&self.connection)
    }

    /// Events after `cursor`, as [`Journal::read`](super::Journal::read) gives them.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn read(&self, cursor: Seq, limit: BatchLimit) -> Result<Vec<Envelope>, JournalError> {
        rows::events(&self.connection, self.columns, cursor, limit)
    }

    /// When the last event happened.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn last_time(&self) -> Result<Option<f64>, JournalError> {
        let last = "SELECT time FROM events ORDER BY seq DESC LIMIT 1";
        let found = self.connection.query_row(last, [], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// Every event but what phases reported that did not fail: much of a journal,
    /// and little of what a run came to. All of one moment.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn outline(&self, mut each: impl FnMut(Envelope)) -> Result<(), JournalError> {
        // Within a text of JSON quotes have a backslash, so these are the keys.
        let mut select = self.connection.prepare(&format!(
            r#"SELECT {} FROM events
               WHERE substr(event, 1, 16) <> '{{"PhaseFinished"'
                  OR instr(event, '"outcome":"Failed"') > 0
               ORDER BY seq"#,
            self.columns
        ))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            each(rows::envelope(row)?);
        }
        Ok(())
    }

    /// Every sink, without what only its worker needs to know.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn sinks(&self) -> Result<Vec<SinkProgress>, JournalError> {
        let mut select = self.connection.prepare_cached(
            "SELECT name, delivered, closed, disabled, error,
                    (SELECT count(*) FROM dead_letters WHERE sink = name),
                    max(0, (SELECT coalesce(max(seq), 0) FROM events) - cursor)
                        + (SELECT count(*) FROM pending WHERE sink = name)
             FROM sinks ORDER BY position",
        )?;
        let rows = select.query_map([], |row| {
            Ok(SinkProgress {
                name: row.get(0)?,
                delivered: row.get(1)?,
                closed: row.get(2)?,
                disabled: row.get(3)?,
                error: row.get(4)?,
                set_aside: row.get(5)?,
                left: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every event that was set aside, sink by sink and in order, with the sink's name.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn dead_letters(
        &self,
        mut each: impl FnMut(&str, DeadLetter, Envelope),
    ) -> Result<(), JournalError> {
        let mut select = self.connection.prepare(&format!(
            "WITH event AS (SELECT {} FROM events)
             SELECT event.*, name, why, dead_letters.time
             FROM dead_letters JOIN sinks ON name = sink JOIN event USING (seq)
             ORDER BY position, event.seq",
            self.columns
        ))?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let event = rows::envelope(row)?;
            let letter = DeadLetter {
                seq: event.seq,
                why: row.get(6)?,
                time: row.get(7)?,
            };
            each(
                row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?,
                letter,
                event,
            );
        }
        Ok(())
    }
}

impl JournalError {
    /// Somebody else is at work on the file, so that it is worth another try.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let Self::Store(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Request};
    use crate::guest::bindings::events::Event;
    use crate::journal::{Draft, Intake, Journal as _, Pending, Progress};

    const ALL: BatchLimit = BatchLimit {
        events: 1000,
        bytes: 1 << 20,
    };

    fn started(count: u32) -> Intake {
        let draft = |number: u32| Draft {
            time: f64::from(number),
            worker: None,
            event: Event::TestStarted((format!("t.py::test_{number}"), 1)),
        };
        Intake {
            drafts: (1..=count).map(draft).collect(),
            ..Intake::default()
        }
    }

    #[test]
    fn a_journal_that_is_being_made_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        assert!(JournalReader::open(&file).unwrap().is_none());
        let connection = Connection::open(&file).unwrap();
        assert!(JournalReader::open(&file).unwrap().is_none(), "empty");
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        assert!(JournalReader::open(&file).unwrap().is_none(), "no tables");
        connection
            .pragma_update(None, "user_version", FORMAT + 1)
            .unwrap();
        let newer = JournalReader::open(&file).err().unwrap();
        assert!(newer.to_string().contains("this host knows up to"));
    }

    #[test]
    fn what_another_connection_writes_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        let journal = crate::journal::SqliteJournal::open(&file).unwrap();
        let mut reader = JournalReader::open(&file).unwrap().unwrap();
        assert!(reader.has_changed().unwrap(), "never looked");
        assert!(!reader.has_changed().unwrap());
        journal.append(&started(4)).unwrap();
        assert!(reader.has_changed().unwrap());
        assert_eq!(reader.head().unwrap().last, 4);
        assert_eq!(reader.read(1, ALL).unwrap().len(), 3);

        let config = Config::load(folder.path(), std::iter::empty()).unwrap();
        let request = Request {
            sinks: Some(vec!["pubdir".into()]),
            ..Request::default()
        };
        journal
            .register(&config.select(&request).unwrap()[0])
            .unwrap();
        let progress = Progress {
            cursor: 3,
            delivered: 1,
            pending: vec![Pending {
                seq: 2,
                due: 0.0,
                attempts: 1,
                why: String::new(),
                key: None,
            }],
            dead: vec![DeadLetter {
                seq: 3,
                why: String::new(),
                time: 0.0,
            }],
            error: Some("refused".into()),
            ..Progress::default()
        };
        journal.commit("pubdir", &progress).unwrap();
        let expected = SinkProgress {
            name: "pubdir".into(),
            delivered: 1,
            set_aside: 1,
            left: 2,
            closed: false,
            disabled: false,
            error: Some("refused".into()),
        };
        assert_eq!(reader.sinks().unwrap(), [expected]);
    }
}
