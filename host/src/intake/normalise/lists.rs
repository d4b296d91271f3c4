//! Long lists make several events, so that a guest can hold each in its memory.

/// Of an event at most, as the contract says of tests.
const ENTRIES: usize = 1000;

/// Of an event's texts, unless one entry alone has more; as a batch has.
const BYTES: usize = 1 << 20;

/// In order, and none of the lists is empty.
pub fn split<T>(all: impl IntoIterator<Item = T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    let mut list = Vec::new();
    let mut bytes = 0;
    for entry in all {
        bytes += size(&entry);
        if !list.is_empty() && (list.len() == ENTRIES || bytes > BYTES) {
            lists.push(std::mem::take(&mut list));
            bytes = size(&entry);
        }
        list.push(entry);
    }
    if !list.is_empty() {
        lists.push(list);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(all: &[usize]) -> Vec<usize> {
        let lists = split(all.iter().copied(), |size| *size);
        assert_eq!(lists.concat(), all);
        lists.iter().map(Vec::len).collect()
    }

    #[test]
    fn lists_are_bounded_by_number_and_by_size() {
        assert_eq!(lengths(&[]), Vec::<usize>::new());
        assert_eq!(lengths(&[10; 1000]), [1000]);
        assert_eq!(lengths(&[10; 2001]), [1000, 1000, 1]);
        assert_eq!(lengths(&[BYTES / 4; 9]), [4, 4, 1]);
        assert_eq!(lengths(&[1, 2 * BYTES, 2 * BYTES, 1]), [1, 1, 1, 1]);
    }
}
