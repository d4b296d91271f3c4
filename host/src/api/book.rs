//! What is known of runs, kept between two requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::state::StateFolder;
use crate::watch::Watched;

use super::tests::Table;

/// Tables of tests that are kept.
const TABLES: usize = 8;

/// Runs as they were when they were looked at last, so that only what is new is read.
#[derive(Default)]
pub struct Book {
    runs: Mutex<BTreeMap<String, Arc<Mutex<Watched>>>>,
    tables: Mutex<Vec<(String, Arc<Table>)>>,
}

impl Book {
    /// `work` with the run `id` as it is now. It reads files: not for a thread that serves.
    pub fn with<T>(&self, state: &StateFolder, id: &str, work: impl FnOnce(&Watched) -> T) -> T {
        let run = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Mutex::new(Watched::new(id)));
            Arc::clone(runs.entry(id.to_owned()).or_insert_with(new))
        };
        let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
        run.refresh(state);
        // Nobody may ask for it again: a run that was still owned would stay open for ever.
        run.let_go();
        work(&run)
    }

    /// Only these are there.
    pub fn keep(&self, ids: &[String]) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|id, _| ids.binary_search(id).is_ok());
    }

    /// The table of the run `id`, where it is not older than `head`.
    pub fn table(&self, id: &str, head: u64) -> Option<Arc<Table>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = tables.iter();
        let (_, table) = known.find(|(known, _)| known == id)?;
        (table.head() >= head).then(|| Arc::clone(table))
    }

    pub fn keep_table(&self, id: &str, table: Arc<Table>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|(known, _)| known != id);
        tables.insert(0, (id.to_owned(), table));
        tables.truncate(TABLES);
    }
}
