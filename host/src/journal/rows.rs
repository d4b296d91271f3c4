//! Reading rows of events, for whoever writes the journal and for those who only look.

use rusqlite::{Connection, Row, params};

use super::{BatchLimit, Head, JournalError, Seq};
use crate::guest::bindings::events::Envelope;

pub(super) fn head(connection: &Connection) -> Result<Head, JournalError> {
    let mut select = connection
        .prepare_cached("SELECT (SELECT coalesce(max(seq), 0) FROM events), closed FROM run")?;
    Ok(select.query_row([], |row| {
        Ok(Head {
            last: row.get(0)?,
            closed: row.get(1)?,
            lost: 0,
        })
    })?)
}

/// Columns of an event; those of an older format have no sums.
pub(super) const UNSUMMED: &str = "seq, time, worker, event, true";
/// Likewise, with whether they are what was written.
pub(super) const SUMMED: &str =
    "seq, time, worker, event, sum IS NULL OR sum = row_sum(seq, time, worker, event)";

pub(super) fn events(
    connection: &Connection,
    columns: &str,
    cursor: Seq,
    limit: BatchLimit,
) -> Result<Vec<Envelope>, JournalError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {columns} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    ))?;
    let mut rows = select.query(params![cursor, limit.events])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        bytes += event_text(row)?.len();
        if bytes > limit.bytes && !found.is_empty() {
            break;
        }
        let event = envelope(row)?;
        let expected = cursor + 1 + found.len() as Seq;
        if event.seq != expected {
            return Err(JournalError::Missing(expected));
        }
        found.push(event);
    }
    Ok(found)
}

/// Of a row that starts with [`SUMMED`] or [`UNSUMMED`].
pub(super) fn envelope(row: &Row<'_>) -> Result<Envelope, JournalError> {
    if !row.get::<_, bool>(4)? {
        let seq: Seq = row.get(0)?;
        return Err(JournalError::Damaged(format!(
            "event {seq} is not what was written"
        )));
    }
    Ok(Envelope {
        seq: row.get(0)?,
        time: row.get(1)?,
        worker: row.get(2)?,
        event: serde_json::from_str(event_text(row)?)?,
    })
}

pub(super) fn event_text<'row>(row: &'row Row<'_>) -> Result<&'row str, JournalError> {
    let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(text)
}
