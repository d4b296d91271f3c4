//! `state`: small values that live in the journal beside the sink's cursor.
//!
//! Writes of a call are kept apart until the call's acknowledgement is
//! committed; where it traps they are dropped.

use std::collections::BTreeMap;

use crate::guest::bindings::state::Host;
use crate::guest::store::GuestData;

/// A key and its new value, or none where it was deleted.
pub type Write = (String, Option<Vec<u8>>);

/// What an entry counts beside its key and value: the room it takes here.
pub const ENTRY: u64 = 64;

/// A sink's values, and what the running call changed.
#[derive(Debug, Default)]
pub struct KeyValues {
    committed: BTreeMap<String, Vec<u8>>,
    written: BTreeMap<String, Option<Vec<u8>>>,
    committed_bytes: u64,
    /// Of `written`, deletions included.
    written_bytes: u64,
    limit: u64,
}

/// A sink asked for more than `limit.state`.
#[derive(Debug, thiserror::Error)]
#[error("limit.state is reached: {used} of {limit} bytes used, {asked} more asked for")]
pub struct StateFull {
    used: u64,
    limit: u64,
    asked: u64,
}

impl KeyValues {
    #[must_use]
    pub fn new(values: BTreeMap<String, Vec<u8>>, limit: u64) -> Self {
        let committed_bytes = values.iter().map(|(key, value)| size(key, value)).sum();
        Self {
            committed: values,
            committed_bytes,
            limit,
            ..Self::default()
        }
    }

    fn get(&self, key: &str) -> Option<&Vec<u8>> {
        match self.written.get(key) {
            Some(written) => written.as_ref(),
            None => self.committed.get(key),
        }
    }

    /// Within the limit is what the values come to with everything written so far,
    /// an upper bound: a value that replaces a committed one counts beside it.
    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), StateFull> {
        let before = self.written.get(&key);
        let before = before.map_or(0, |value| written_size(&key, value.as_deref()));
        let used = self.committed_bytes + self.written_bytes - before;
        let asked = size(&key, &value);
        if used.saturating_add(asked) > self.limit {
            return Err(StateFull {
                used,
                limit: self.limit,
                asked,
            });
        }
        self.written_bytes = self.written_bytes - before + asked;
        self.written.insert(key, Some(value));
        Ok(())
    }

    /// Never refused: what it notes is no more than the committed entry's own size.
    fn delete(&mut self, key: String) {
        if let Some(before) = self.written.remove(&key) {
            self.written_bytes -= written_size(&key, before.as_deref());
        }
        if self.committed.contains_key(&key) {
            self.written_bytes += written_size(&key, None);
            self.written.insert(key, None);
        }
    }

    /// What the call wrote, for the journal.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.written
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The journal has them: they are what a new instance would find.
    pub fn committed(&mut self) {
        self.written_bytes = 0;
        for (key, value) in std::mem::take(&mut self.written) {
            let old = match value {
                Some(value) => {
                    self.committed_bytes += size(&key, &value);
                    let old = self.committed.insert(key.clone(), value);
                    old.map(|old| size(&key, &old))
                }
                None => self.committed.remove(&key).map(|old| size(&key, &old)),
            };
            self.committed_bytes -= old.unwrap_or(0);
        }
    }

    /// Bytes of what is committed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.committed_bytes
    }

    /// The values as committed, to hand to the next instance.
    #[must_use]
    pub fn into_committed(self) -> BTreeMap<String, Vec<u8>> {
        self.committed
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    ENTRY + (key.len() + value.len()) as u64
}

fn written_size(key: &str, value: Option<&[u8]>) -> u64 {
    size(key, value.unwrap_or_default())
}

impl Host for GuestData {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.values.get(&key).cloned()
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
        Ok(self.values.set(key, value)?)
    }

    fn delete(&mut self, key: String) {
        self.values.delete(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_sees_its_own_writes_and_the_journal_gets_them_once() {
        let mut values = KeyValues::new(BTreeMap::from([("a".into(), vec![1])]), 1000);
        values.set("b".into(), vec![2]).unwrap();
        values.delete("a".into());
        assert_eq!(values.get("a"), None);
        assert_eq!(values.get("b"), Some(&vec![2]));
        assert_eq!(
            values.writes(),
            [("a".to_owned(), None), ("b".to_owned(), Some(vec![2]))]
        );
        values.committed();
        assert!(values.writes().is_empty());
        assert_eq!(values.committed_bytes, ENTRY + 2);
        assert_eq!(
            values.into_committed(),
            BTreeMap::from([("b".into(), vec![2])])
        );
    }

    #[test]
    fn the_limit_holds_and_replacing_does_not_leak() {
        let mut values = KeyValues::new(BTreeMap::new(), 2 * ENTRY + 10);
        for _ in 0..5 {
            values.set("k".into(), vec![0; 4]).unwrap();
            values.set("k".into(), vec![0; 4]).unwrap();
            values.committed();
        }
        assert_eq!(values.committed_bytes, ENTRY + 5);
        assert!(values.set("l".into(), vec![0; 9]).is_err());
        values.set("l".into(), vec![0; 4]).unwrap();
        values.delete("l".into());
        assert_eq!(values.written_bytes, 0);
    }

    #[test]
    fn empty_values_and_deletions_take_room_too() {
        let mut values = KeyValues::new(BTreeMap::new(), 10 * ENTRY);
        let kept = (0..1000).take_while(|n| values.set(format!("{n}"), vec![]).is_ok());
        assert_eq!(kept.count(), 9);
        values.committed();
        for n in 0..1000 {
            values.delete(format!("{n}"));
        }
        assert_eq!(values.written.len(), 9, "of what is there and no more");
        values.committed();
        assert_eq!((values.committed_bytes, values.written_bytes), (0, 0));
    }
}
