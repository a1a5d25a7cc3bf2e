//! Tests of what is sent and of how errors are read.

use super::*;

#[test]
fn parameters_are_encoded() {
    let text = form(&[("query", "sum(a{b=\"ü\"}) + 1".to_owned()), ("time", "1.5".to_owned())]);
    assert_eq!(text, "query=sum%28a%7Bb%3D%22%C3%BC%22%7D%29%20%2B%201&time=1.5");
}

#[test]
fn messages_are_found_in_every_dialect() {
    let prometheus = br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    assert_eq!(message(prometheus), "parse error");
    assert_eq!(message(br#"{"message":"no such table"}"#), "no such table");
    assert_eq!(message(b"plain text\n"), "plain text");
    assert_eq!(message(b"[1]"), "[1]");
}
