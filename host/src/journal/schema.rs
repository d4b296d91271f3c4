//! The tables of a journal file.

use rusqlite::Connection;

use super::JournalError;

/// The format that this host writes. A newer one is refused, never guessed at.
pub const FORMAT: u32 = 5;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS events (
    seq    INTEGER PRIMARY KEY,
    time   REAL NOT NULL,
    worker TEXT,
    event  TEXT NOT NULL,           -- JSON, as the contract of format 1 names it
    sum    INTEGER                  -- of the row's other values, in every table that has it
) STRICT;
CREATE TABLE IF NOT EXISTS run (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    closed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS processes (
    process    TEXT PRIMARY KEY,
    file       INTEGER NOT NULL,
    offset     INTEGER NOT NULL,
    ended      INTEGER NOT NULL,
    pid        INTEGER NOT NULL,
    worker     TEXT,
    collection TEXT,
    unsaid     TEXT,
    sum        INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS items (
    collection TEXT NOT NULL,
    position   INTEGER NOT NULL,
    nodeid     TEXT NOT NULL,
    name       TEXT NOT NULL,
    grouped    TEXT,
    sum        INTEGER,
    PRIMARY KEY (collection, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sinks (
    position  INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    spec      TEXT NOT NULL,
    cursor    INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    closed    INTEGER NOT NULL DEFAULT 0,
    disabled  INTEGER NOT NULL DEFAULT 0,
    error     TEXT,
    removed   INTEGER,              -- its cursor when it was removed from the run
    sum       INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS pending (
    sink     TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    due      REAL NOT NULL,
    attempts INTEGER NOT NULL,
    why      TEXT NOT NULL,
    test     TEXT,
    sum      INTEGER,
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    sink TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    why  TEXT NOT NULL,
    time REAL NOT NULL,
    sum  INTEGER,
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    sink  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    sum   INTEGER,
    PRIMARY KEY (sink, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
    orchestration TEXT NOT NULL,
    number        INTEGER NOT NULL,
    call          TEXT NOT NULL,
    sum           INTEGER,
    PRIMARY KEY (orchestration, number)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO run (only, closed) VALUES (1, 0);
";

/// From format 1 to 2.
const SECOND: &str = "ALTER TABLE processes ADD COLUMN unsaid TEXT;";
/// From format 2 to 3.
const THIRD: &str = "ALTER TABLE sinks ADD COLUMN removed INTEGER;";
/// From format 3 to 4.
const FOURTH: &str = "CREATE TABLE IF NOT EXISTS calls (
    orchestration TEXT NOT NULL,
    number        INTEGER NOT NULL,
    call          TEXT NOT NULL,
    PRIMARY KEY (orchestration, number)
) STRICT, WITHOUT ROWID;";

/// From format 4 to 5. What is there has no sums.
const FIFTH: &str = "
ALTER TABLE events ADD COLUMN sum INTEGER;
ALTER TABLE processes ADD COLUMN sum INTEGER;
ALTER TABLE items ADD COLUMN sum INTEGER;
ALTER TABLE sinks ADD COLUMN sum INTEGER;
ALTER TABLE pending ADD COLUMN sum INTEGER;
ALTER TABLE dead_letters ADD COLUMN sum INTEGER;
ALTER TABLE state ADD COLUMN sum INTEGER;
ALTER TABLE calls ADD COLUMN sum INTEGER;";

/// Makes the tables of a new file, brings those of an older format up to date, and refuses one of a newer format.
pub fn prepare(connection: &Connection) -> Result<(), JournalError> {
    // A process that dies loses nothing; a power loss may lose the last commits.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > FORMAT {
        return Err(JournalError::Newer {
            found,
            known: FORMAT,
        });
    }
    let steps = match found {
        0 => {
            connection.execute_batch(TABLES)?;
            &[][..]
        }
        1 => &[SECOND, THIRD, FOURTH, FIFTH][..],
        2 => &[THIRD, FOURTH, FIFTH],
        3 => &[FOURTH, FIFTH],
        4 => &[FIFTH],
        _ => return Ok(()),
    };
    if !steps.is_empty() {
        connection.execute_batch(&format!("BEGIN; {} COMMIT;", steps.concat()))?;
    }
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(())
}
