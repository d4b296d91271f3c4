//! One SQLite file a run: WAL, one connection that writes, one that reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params};

use super::{
    BEYOND, BatchLimit, DeadLetter, Head, Intake, Item, Items, Journal, JournalError, Pending,
    Position, Progress, Seq, Standing, mode, rows, schema, sound, sum,
};
use crate::config::SinkSpec;
use crate::guest::bindings::events::Envelope;

/// How long to wait for another process that reads or writes the same file.
const BUSY: Duration = Duration::from_secs(10);

/// A journal in a file.
pub struct SqliteJournal {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl SqliteJournal {
    /// Opens the journal in `file`, made where it is not there.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened, is no journal or is of a newer format.
    pub fn open(file: &Path) -> Result<Self, JournalError> {
        let was_damaged = sound::keep_damaged_log(file)?;
        let was_there = std::fs::metadata(file).is_ok_and(|known| known.len() > 0);
        let writer = Connection::open(file)?;
        // From here on this process must not look into the file by itself.
        mode::set(file, was_there);
        writer.busy_timeout(BUSY)?;
        sum::teach(&writer)?;
        schema::prepare(&writer)?;
        mode::set(file, true);
        if was_damaged {
            sound::empty_log(&writer)?;
        }
        if was_there {
            sound::check(&writer)?;
            sum::check(&writer)?;
        }
        let reader = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        reader.busy_timeout(BUSY)?;
        sum::teach(&reader)?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
        })
    }

    /// Bytes of the file, once all is in it.
    pub(super) fn size(&self) -> Result<u64, JournalError> {
        let reader = self.reader();
        let mut size = reader.prepare_cached(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        )?;
        Ok(size.query_row([], |row| row.get(0))?)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Appends, and answers how large each event is.
    pub(super) fn append_measured(
        &self,
        intake: &Intake,
    ) -> Result<(Head, Vec<usize>), JournalError> {
        self.write(|transaction| {
            let mut head = rows::head(transaction)?;
            let mut sizes = Vec::with_capacity(intake.drafts.len());
            let mut insert = transaction.prepare_cached(
                "INSERT INTO events (seq, time, worker, event, sum)
                 VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))",
            )?;
            for draft in &intake.drafts {
                head.last += 1;
                let event = serde_json::to_string(&draft.event)?;
                sizes.push(event.len());
                insert.execute(params![head.last, draft.time, draft.worker, event])?;
            }
            for items in &intake.items {
                insert_items(transaction, items)?;
            }
            for (process, position) in &intake.positions {
                upsert_position(transaction, process, position)?;
            }
            if intake.closed {
                transaction.execute("UPDATE run SET closed = 1", [])?;
                head.closed = true;
            }
            Ok((head, sizes))
        })
    }
}

impl Journal for SqliteJournal {
    fn append(&self, intake: &Intake) -> Result<Head, JournalError> {
        Ok(self.append_measured(intake)?.0)
    }

    fn head(&self) -> Result<Head, JournalError> {
        rows::head(&self.reader())
    }

    fn read(&self, cursor: Seq, limit: BatchLimit) -> Result<Vec<Envelope>, JournalError> {
        rows::events(&self.reader(), rows::SUMMED, cursor, limit)
    }

    fn pick(&self, seqs: &[Seq], bytes: usize) -> Result<Vec<Envelope>, JournalError> {
        let reader = self.reader();
        let mut select = reader.prepare_cached(&format!(
            "SELECT {} FROM events WHERE seq = ?",
            rows::SUMMED
        ))?;
        let mut found = Vec::with_capacity(seqs.len());
        let mut size = 0;
        for seq in seqs {
            let mut hits = select.query([seq])?;
            let row = hits.next()?.ok_or(JournalError::Missing(*seq))?;
            size += rows::event_text(row)?.len();
            if size > bytes && !found.is_empty() {
                break;
            }
            found.push(rows::envelope(row)?);
        }
        Ok(found)
    }

    fn positions(&self) -> Result<BTreeMap<String, Position>, JournalError> {
        let reader = self.reader();
        let mut select = reader.prepare(
            "SELECT process, file, offset, ended, pid, worker, collection, unsaid FROM processes",
        )?;
        let rows = select.query_map([], |row| {
            let position = Position {
                file: row.get(1)?,
                offset: row.get(2)?,
                ended: row.get(3)?,
                pid: row.get(4)?,
                worker: row.get(5)?,
                collection: row.get(6)?,
                unsaid: row.get(7)?,
            };
            Ok((row.get(0)?, position))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn items(&self) -> Result<Vec<Items>, JournalError> {
        let reader = self.reader();
        let mut select = reader.prepare(
            "SELECT collection, position, nodeid, name, grouped FROM items ORDER BY collection, position",
        )?;
        let mut rows = select.query([])?;
        let mut found: Vec<Items> = Vec::new();
        while let Some(row) = rows.next()? {
            let collection: String = row.get(0)?;
            let position: u32 = row.get(1)?;
            let item = Item {
                nodeid: row.get(2)?,
                name: row.get(3)?,
                group: row.get(4)?,
            };
            // Some between may have been lost.
            match found.last_mut().filter(|last| {
                last.collection == collection
                    && u64::from(position) == u64::from(last.first) + last.items.len() as u64
            }) {
                Some(last) => last.items.push(item),
                None => found.push(Items {
                    collection,
                    first: position,
                    items: vec![item],
                }),
            }
        }
        Ok(found)
    }

    fn register(&self, spec: &SinkSpec) -> Result<(), JournalError> {
        let text = serde_json::to_string(spec)?;
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO sinks (name, spec) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET spec = ?2,
                     cursor = coalesce(removed, cursor), closed = closed AND removed IS NULL,
                     removed = NULL",
                params![spec.name, text],
            )?;
            sum::renew(transaction, &spec.name)
        })
    }

    fn sinks(&self) -> Result<Vec<SinkSpec>, JournalError> {
        let reader = self.reader();
        let mut select = reader.prepare("SELECT spec FROM sinks ORDER BY position")?;
        let specs: Vec<String> = select
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(specs
            .iter()
            .map(|spec| serde_json::from_str(spec))
            .collect::<Result<_, _>>()?)
    }

    fn standing(&self, sink: &str) -> Result<Standing, JournalError> {
        let reader = self.reader();
        let found = reader
            .query_row(
                "SELECT cursor, delivered, closed, disabled, error,
                        (SELECT count(*) FROM dead_letters WHERE sink = name)
                 FROM sinks WHERE name = ?",
                [sink],
                |row| {
                    Ok(Standing {
                        cursor: row.get(0)?,
                        delivered: row.get(1)?,
                        closed: row.get(2)?,
                        disabled: row.get(3)?,
                        error: row.get(4)?,
                        set_aside: row.get(5)?,
                        ..Standing::default()
                    })
                },
            )
            .optional()?;
        let Some(mut standing) = found else {
            return Ok(Standing::default());
        };
        standing.pending = pending(&reader, sink)?;
        let mut select = reader.prepare_cached("SELECT key, value FROM state WHERE sink = ?")?;
        standing.state = select
            .query_map([sink], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(standing)
    }

    fn commit(&self, sink: &str, progress: &Progress) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction
                .prepare_cached(
                    "UPDATE sinks SET delivered = delivered + ?3, closed = ?4, disabled = ?5,
                     error = ?6, removed = CASE WHEN ?7 THEN cursor ELSE removed END,
                     cursor = CASE WHEN ?7 THEN ?8 ELSE max(cursor, ?2) END WHERE name = ?1",
                )?
                .execute(params![
                    sink,
                    progress.cursor,
                    progress.delivered,
                    progress.closed || progress.removed,
                    progress.disabled,
                    progress.error,
                    progress.removed,
                    BEYOND
                ])?;
            sum::renew(transaction, sink)?;
            for seq in &progress.settled {
                settle(transaction, sink, *seq)?;
            }
            for event in &progress.pending {
                put_off(transaction, sink, event)?;
            }
            for letter in &progress.dead {
                set_aside(transaction, sink, letter)?;
            }
            for (key, value) in &progress.state {
                write_state(transaction, sink, key, value.as_deref())?;
            }
            Ok(())
        })
    }

    fn dead_letters(&self, sink: &str) -> Result<Vec<DeadLetter>, JournalError> {
        let reader = self.reader();
        let mut select = reader
            .prepare("SELECT seq, why, time FROM dead_letters WHERE sink = ? ORDER BY seq")?;
        let rows = select.query_map([sink], |row| {
            Ok(DeadLetter {
                seq: row.get(0)?,
                why: row.get(1)?,
                time: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn put_back(&self, sink: &str, letters: &[Pending]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let mut delete = transaction
                .prepare_cached("DELETE FROM dead_letters WHERE sink = ? AND seq = ?")?;
            for letter in letters {
                delete.execute(params![sink, letter.seq])?;
                put_off(transaction, sink, letter)?;
            }
            transaction.execute(
                "UPDATE sinks SET closed = 0, disabled = 0, error = NULL, removed = NULL
                 WHERE name = ?",
                [sink],
            )?;
            sum::renew(transaction, sink)
        })
    }

    fn note_call(&self, orchestration: &str, number: u64, call: &str) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO calls (orchestration, number, call, sum)
                     VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))",
                )?
                .execute(params![orchestration, number, call])?;
            Ok(())
        })
    }

    fn calls(&self, orchestration: &str) -> Result<Vec<String>, JournalError> {
        let reader = self.reader();
        let mut select =
            reader.prepare("SELECT call FROM calls WHERE orchestration = ? ORDER BY number")?;
        let rows = select.query_map([orchestration], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn insert_items(transaction: &Transaction<'_>, items: &Items) -> Result<(), JournalError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO items (collection, position, nodeid, name, grouped, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, row_sum(?1, ?2, ?3, ?4, ?5))",
    )?;
    for (position, item) in (items.first..=u32::MAX).zip(&items.items) {
        insert.execute(params![
            items.collection,
            position,
            item.nodeid,
            item.name,
            item.group
        ])?;
    }
    Ok(())
}

fn upsert_position(
    transaction: &Transaction<'_>,
    process: &str,
    position: &Position,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO processes
                 (process, file, offset, ended, pid, worker, collection, unsaid, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, row_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8))",
        )?
        .execute(params![
            process,
            position.file,
            position.offset,
            position.ended,
            position.pid,
            position.worker,
            position.collection,
            position.unsaid
        ])?;
    Ok(())
}

fn pending(connection: &Connection, sink: &str) -> Result<Vec<Pending>, JournalError> {
    let mut select = connection.prepare_cached(
        "SELECT seq, due, attempts, why, test FROM pending WHERE sink = ? ORDER BY seq",
    )?;
    let rows = select.query_map([sink], |row| {
        Ok(Pending {
            seq: row.get(0)?,
            due: row.get(1)?,
            attempts: row.get(2)?,
            why: row.get(3)?,
            key: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn settle(transaction: &Transaction<'_>, sink: &str, seq: Seq) -> Result<(), JournalError> {
    transaction
        .prepare_cached("DELETE FROM pending WHERE sink = ? AND seq = ?")?
        .execute(params![sink, seq])?;
    Ok(())
}

fn put_off(transaction: &Transaction<'_>, sink: &str, event: &Pending) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO pending (sink, seq, due, attempts, why, test, sum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_sum(?1, ?2, ?3, ?4, ?5, ?6))",
        )?
        .execute(params![
            sink,
            event.seq,
            event.due,
            event.attempts,
            event.why,
            event.key
        ])?;
    Ok(())
}

fn set_aside(
    transaction: &Transaction<'_>,
    sink: &str,
    letter: &DeadLetter,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO dead_letters (sink, seq, why, time, sum)
             VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))",
        )?
        .execute(params![sink, letter.seq, letter.why, letter.time])?;
    Ok(())
}

fn write_state(
    transaction: &Transaction<'_>,
    sink: &str,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), JournalError> {
    match value {
        Some(value) => transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO state (sink, key, value, sum)
                 VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))",
            )?
            .execute(params![sink, key, value])?,
        None => transaction
            .prepare_cached("DELETE FROM state WHERE sink = ? AND key = ?")?
            .execute(params![sink, key])?,
    };
    Ok(())
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
