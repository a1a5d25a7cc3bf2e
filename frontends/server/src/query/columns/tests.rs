//! Tests of the order of columns.

use super::*;

#[test]
fn columns_keep_the_order_of_the_statement() {
    assert_eq!(of_rows(br#"[{"n": 1, "d": {"x": [1]}}, {"d": 1}]"#), ["n", "d"]);
    assert!(of_rows(b"[]").is_empty());
    assert!(of_rows(b"{\"rows\": []}").is_empty());
    assert!(of_rows(b"[1]").is_empty());
}
