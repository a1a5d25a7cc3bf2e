//! Tests of suggestions.

use super::*;

#[test]
fn the_nearest_word_is_suggested() {
    let words = ["listen", "storage.flush_interval", "storage.memtable_bytes"];
    assert_eq!(suggest("lisen", words), Some("listen"));
    assert_eq!(suggest("storage.flush_intervall", words), Some("storage.flush_interval"));
    assert_eq!(suggest("storage.memtable_byte", words), Some("storage.memtable_bytes"));
}

#[test]
fn a_word_unlike_any_gets_no_suggestion() {
    assert_eq!(suggest("zebra", ["listen", "data"]), None);
}

#[test]
fn distance_counts_edits() {
    assert_eq!(distance("kitten", "sitting"), 3);
    assert_eq!(distance("", "abc"), 3);
    assert_eq!(distance("abc", "abc"), 0);
}
