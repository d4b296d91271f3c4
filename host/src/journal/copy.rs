//! What happened in a run, in a journal of its own.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use url::Url;

use super::schema::{self, FORMAT};
use super::{BatchLimit, JournalError, JournalReader, sum};

/// Readers wait for nobody in this journal mode, but where it is being recovered.
const BUSY: Duration = Duration::from_secs(10);
/// What is read at once to see whether it can be.
const BATCH: BatchLimit = BatchLimit {
    events: 1000,
    bytes: 8 << 20,
};

/// What is copied. Sinks are not: their settings may hold secrets, and what they
/// are granted is this machine's. Nor are process ids, which mean nothing elsewhere.
/// `{sum}` stands for the column, or for nothing in formats that have none.
const COPY: &str = "
INSERT INTO main.events (seq, time, worker, event, sum)
SELECT seq, time, worker, event, {sum} FROM source.events ORDER BY seq;
UPDATE main.run SET closed = (SELECT closed FROM source.run);
INSERT INTO main.processes (process, file, offset, ended, pid, worker, collection)
SELECT process, file, offset, ended, 0, worker, collection FROM source.processes;
INSERT INTO main.items (collection, position, nodeid, name, grouped, sum)
SELECT collection, position, nodeid, name, grouped, {sum} FROM source.items;
";
/// Of journals from format 2 on.
const UNSAID: &str = "
UPDATE main.processes SET unsaid =
    (SELECT unsaid FROM source.processes AS theirs WHERE theirs.process = main.processes.process)
";
/// What no journal has, and what could run or grow while it is read.
const FOREIGN: &str = "
SELECT count(*) FROM source.sqlite_schema AS part
WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' OR EXISTS (
    SELECT 1 FROM pragma_table_xinfo(part.name, 'source') WHERE part.type = 'table' AND hidden <> 0
)";

/// A journal that cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("the journal: {0}")]
    Damaged(String),
}

impl JournalError {
    /// Not what the file holds is wrong, but where it is.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        let Self::Store(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::CannotOpen
                    | ErrorCode::DiskFull
                    | ErrorCode::PermissionDenied
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
            )
        )
    }
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Journal(error.into())
    }
}

/// Copies the events of the journal in `from`, as they are at one moment, into a
/// new one in `to`. Whoever writes to `from` is not disturbed, and nothing in it
/// is trusted.
///
/// # Errors
///
/// Where it cannot be read, `to` not be written, or what it holds is no journal of
/// a format that this host knows.
pub fn copy_events(from: &Path, to: &Path) -> Result<(), CopyError> {
    let damaged = |why: &str| CopyError::Damaged(why.to_owned());
    let mut source = std::path::absolute(from)
        .ok()
        .and_then(|from| Url::from_file_path(from).ok())
        .ok_or_else(|| damaged("its path cannot be used"))?;
    source.set_query(Some("mode=ro"));
    let mut copy = Connection::open_with_flags(
        to,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    copy.busy_timeout(BUSY)?;
    sum::teach(&copy)?;
    schema::prepare(&copy)?;
    copy.pragma_update(None, "trusted_schema", false)?;
    copy.execute("ATTACH ? AS source", [source.as_str()])?;
    let found: u32 = copy.pragma_query_value(Some("source"), "user_version", |row| row.get(0))?;
    if found > FORMAT {
        return Err(JournalError::Newer {
            found,
            known: FORMAT,
        }
        .into());
    }
    if found == 0 {
        return Err(damaged("it holds no tables"));
    }
    let transaction = copy.transaction_with_behavior(TransactionBehavior::Deferred)?;
    check(&transaction)?;
    let sums = if found > 4 { "sum" } else { "NULL" };
    transaction.execute_batch(&COPY.replace("{sum}", sums))?;
    if found > 1 {
        transaction.execute_batch(UNSAID)?;
    }
    sum::check(&transaction)?;
    transaction.commit()?;
    copy.close().map_err(|(_, error)| error)?;
    read_through(to)
}

fn check(transaction: &Transaction<'_>) -> Result<(), CopyError> {
    let found: String =
        transaction.query_row("PRAGMA source.quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(CopyError::Damaged(crate::text::printable(&found)));
    }
    let foreign: u64 = transaction.query_row(FOREIGN, [], |row| row.get(0))?;
    if foreign > 0 {
        return Err(CopyError::Damaged(
            "it holds more than a journal does".to_owned(),
        ));
    }
    Ok(())
}

/// Whether every event is there, and is one.
fn read_through(journal: &Path) -> Result<(), CopyError> {
    let damaged = |why: &str| CopyError::Damaged(why.to_owned());
    let reader = JournalReader::open(journal)?.ok_or_else(|| damaged("it was not written"))?;
    let last = reader.head()?.last;
    let mut cursor = 0;
    while cursor < last {
        for envelope in reader.read(cursor, BATCH)? {
            if envelope.seq != cursor + 1 {
                return Err(JournalError::Missing(cursor + 1).into());
            }
            cursor = envelope.seq;
        }
    }
    Ok(())
}

/// Makes processes known that a copied journal has not heard of, so that nobody
/// takes a process of this machine for them: each with the number of the first
/// file that it wrote.
///
/// # Errors
///
/// Where it cannot be written.
pub fn adopt(journal: &Path, files: &[(&str, u32)]) -> Result<(), JournalError> {
    let mut connection = Connection::open(journal)?;
    let transaction = connection.transaction()?;
    for (process, number) in files {
        let worker = process
            .rsplit_once('-')
            .map_or(*process, |(worker, _)| worker);
        transaction.execute(
            "INSERT INTO processes (process, file, offset, ended, pid, worker)
             VALUES (?1, ?2, 0, 0, 0, nullif(?3, 'main'))
             ON CONFLICT (process) DO UPDATE SET file = min(file, ?2), sum = NULL WHERE offset = 0",
            rusqlite::params![process, number, worker],
        )?;
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
