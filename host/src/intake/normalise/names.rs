//! Tests that were never announced: what their node ids tell of them.

use crate::journal::Item;

/// A test of which nothing is known but its node id.
pub(super) fn unknown(nodeid: String) -> Item {
    Item {
        // What pytest puts before the name has neither a parameter's `[` nor its `::`.
        name: name_in(&nodeid).to_owned(),
        nodeid,
        group: None,
    }
}

/// The item's name in a node id that was never announced.
pub(super) fn name_in(nodeid: &str) -> &str {
    let parameters = nodeid.find('[').unwrap_or(nodeid.len());
    let before = nodeid.get(..parameters).unwrap_or(nodeid);
    let start = before.rfind("::").map_or(0, |at| at + 2);
    nodeid.get(start..).unwrap_or(nodeid)
}
