//! Tags and their values.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};

use super::*;

#[test]
fn scopes_are_listed_in_order() {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    let found = Keys::from([
        ("span".to_owned(), keys(&["http.route", "a"])),
        ("resource".to_owned(), keys(&["service.name"])),
    ]);
    assert_eq!(
        scopes(&found, Some("span")),
        concat!(
            r#"{"scopes":[{"name":"resource","tags":["service.name"]},"#,
            r#"{"name":"span","tags":["a","http.route"]}],"metrics":{}}"#
        )
    );
    let all = scopes(&Keys::new(), None);
    assert!(all.starts_with(r#"{"scopes":[{"name":"intrinsic","tags":["duration","#), "{all}");
}

#[test]
fn values_may_have_types() {
    let texts = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let rows = RecordBatch::try_from_iter([
        ("type", texts(vec!["string", "keyword"])),
        ("name", texts(vec!["a\"", "ok"])),
    ])
    .unwrap();
    let mut out = "[".to_owned();
    write_values(&rows, true, &mut out).unwrap();
    assert_eq!(out, r#"[{"type":"string","value":"a\""},{"type":"keyword","value":"ok"}"#);
    let mut out = "[".to_owned();
    write_values(&rows, false, &mut out).unwrap();
    assert_eq!(out, r#"["a\"","ok""#);
}
