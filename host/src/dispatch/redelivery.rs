//! What was set aside, to be delivered after all.

use super::outbox::{BATCH, key};
use crate::clock;
use crate::journal::{DeadLetter, Journal, JournalError, Pending, Seq};

/// Makes the dead letters of `sink` wait for delivery, as if they had never been
/// offered; answers how many there were.
///
/// # Errors
///
/// Where the journal cannot be read or written; part of them may have been put back.
pub fn put_back(journal: &dyn Journal, sink: &str) -> Result<usize, JournalError> {
    let letters = journal.dead_letters(sink)?;
    let mut rest = letters.as_slice();
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(rest.len().min(BATCH.events));
        put_back_some(journal, sink, chunk)?;
        rest = later;
    }
    Ok(letters.len())
}

fn put_back_some(
    journal: &dyn Journal,
    sink: &str,
    letters: &[DeadLetter],
) -> Result<(), JournalError> {
    let mut seqs: Vec<Seq> = letters.iter().map(|letter| letter.seq).collect();
    let mut waiting = Vec::with_capacity(letters.len());
    while !seqs.is_empty() {
        let events = journal.pick(&seqs, BATCH.bytes)?;
        let Some(last) = events.last().map(|event| event.seq) else {
            break;
        };
        waiting.extend(events.iter().map(|event| Pending {
            seq: event.seq,
            due: clock::now(),
            attempts: 0,
            why: String::new(),
            key: key(event),
        }));
        seqs.retain(|seq| *seq > last);
    }
    journal.put_back(sink, &waiting)
}
