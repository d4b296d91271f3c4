//! Checksums of a journal's rows. SQLite sees whether its pages hold together, but not
//! whether a value in them is the one that was written: an event that waits for a sink
//! would be gone without a word where the name of its sink is no longer what it was.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};

use super::JournalError;

/// What SQL calls the function that takes a row's values and answers with their sum.
const NAME: &str = "row_sum";

const SINKS: (&str, &str) = (
    "sinks",
    "position, name, spec, cursor, delivered, closed, disabled, error, removed",
);
/// Tables that are looked through as a whole, with the columns that their sums are of. Events
/// have sums, too, which are looked at as they are read.
const TABLES: [(&str, &str); 7] = [
    (
        "processes",
        "process, file, offset, ended, pid, worker, collection, unsaid",
    ),
    ("items", "collection, position, nodeid, name, grouped"),
    SINKS,
    ("pending", "sink, seq, due, attempts, why, test"),
    ("dead_letters", "sink, seq, why, time"),
    ("state", "sink, key, value"),
    ("calls", "orchestration, number, call"),
];

/// Makes the function known to a connection.
///
/// # Errors
///
/// Where SQLite refuses.
pub fn teach(connection: &Connection) -> Result<(), JournalError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    Ok(connection.create_scalar_function(NAME, -1, flags, |row| Ok(sum(row)))?)
}

/// CRC-32 of the values, each with its type and length.
fn sum(row: &Context<'_>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for index in 0..row.len() {
        let value = row.get_raw(index);
        let (kind, number);
        let bytes = match value {
            ValueRef::Null => {
                kind = 0;
                &[][..]
            }
            ValueRef::Integer(integer) => {
                kind = 1;
                number = integer.to_le_bytes();
                &number
            }
            ValueRef::Real(real) => {
                kind = 2;
                // SQLite keeps -0.0 as 0.0.
                number = (real + 0.0).to_le_bytes();
                &number
            }
            ValueRef::Text(text) => {
                kind = 3;
                text
            }
            ValueRef::Blob(blob) => {
                kind = 4;
                blob
            }
        };
        hasher.update(&[kind]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize()
}

/// Puts the sum of a sink's row right after an update.
///
/// # Errors
///
/// Where it cannot be written.
pub fn renew(transaction: &Transaction<'_>, sink: &str) -> Result<(), JournalError> {
    let (_, columns) = SINKS;
    let update = format!("UPDATE sinks SET sum = {NAME}({columns}) WHERE name = ?");
    transaction.prepare_cached(&update)?.execute([sink])?;
    Ok(())
}

/// Looks through what is kept beside the events. Rows that an older format left have no sums.
///
/// # Errors
///
/// Where a value is not the one that was written, or cannot be read.
pub fn check(connection: &Connection) -> Result<(), JournalError> {
    for (table, columns) in TABLES {
        let rows = format!("SELECT EXISTS (SELECT * FROM {table} WHERE sum <> {NAME}({columns}))");
        let changed: bool = connection.query_row(&rows, [], |row| row.get(0))?;
        if changed {
            return Err(JournalError::Damaged(format!(
                "not all that it says of {table} is what was written"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
