//! A list whose items have an id each: what changes in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::board::Render;

/// Items by id, in the order in which they are told.
#[derive(Debug, Default)]
pub struct List {
    items: Arc<BTreeMap<String, Value>>,
}

/// What becomes of a list. Items are in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListChange<'a> {
    /// New, or instead of those with the same id.
    #[schema(value_type = Vec<Object>)]
    put: Vec<&'a Value>,
    /// The ids of those that are gone.
    #[schema(value_type = Vec<String>)]
    removed: Vec<&'a String>,
}

impl List {
    /// The items are these now; answers with what that changes.
    pub fn set(&mut self, items: BTreeMap<String, Value>) -> Option<String> {
        let put: Vec<&Value> = items
            .iter()
            .filter(|(id, item)| self.items.get(*id) != Some(item))
            .map(|(_, item)| item)
            .collect();
        let removed: Vec<&String> = self
            .items
            .keys()
            .filter(|id| !items.contains_key(*id))
            .collect();
        if put.is_empty() && removed.is_empty() {
            return None;
        }
        let change = serde_json::to_string(&ListChange { put, removed });
        self.items = Arc::new(items);
        change.ok()
    }

    /// Writes the items as they are now.
    #[must_use]
    pub fn render(&self) -> Render {
        let items = Arc::clone(&self.items);
        Arc::new(move || {
            let items: Vec<&Value> = items.values().collect();
            serde_json::to_string(&items).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changes_in_a_list() {
        let mut list = List::default();
        let items = |pairs: &[(&str, u32)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(id, n)| ((*id).to_owned(), json!({"id": id, "n": n})))
                .collect()
        };
        let mut set = |pairs: &[(&str, u32)]| list.set(items(pairs)).unwrap_or_default();
        assert_eq!(
            set(&[("a", 1)]),
            r#"{"put":[{"id":"a","n":1}],"removed":[]}"#
        );
        assert_eq!(set(&[("a", 1)]), "");
        assert_eq!(
            set(&[("a", 2), ("b", 1)]),
            r#"{"put":[{"id":"a","n":2},{"id":"b","n":1}],"removed":[]}"#
        );
        assert_eq!(set(&[("b", 1)]), r#"{"put":[],"removed":["a"]}"#);
        assert_eq!(list.render()(), r#"[{"id":"b","n":1}]"#);
    }
}
