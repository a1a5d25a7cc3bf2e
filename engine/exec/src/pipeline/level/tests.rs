//! Lines and the level they tell.

use super::{of_label, of_line, of_severity};

#[test]
fn lines_tell_their_level() {
    for (line, level) in [
        ("level=warn msg=x", "warn"),
        ("ts=1 LVL=dbg level=\"error\"", "error"),
        (r#"{"msg":"error","level":"INFO"}"#, "info"),
        (r#"{"a":{"severity":"dbg"}}"#, "debug"),
        (r#"{"a":{"b":{"severity":"dbg"}}}"#, "unknown"),
        (r#"{"level":"odd","msg":"an error, again"}"#, "error"),
        ("2026 [ERROR] failed", "error"),
        ("WARNING: disk", "warn"),
        ("x:error", "unknown"),
        ("terror", "unknown"),
        ("no errors", "unknown"),
        ("a=b err", "error"),
        ("", "unknown"),
        ("é level=crit info", "info"),
    ] {
        assert_eq!(of_line(line), level, "{line}");
    }
}

#[test]
fn labels_and_numbers_tell_their_level() {
    assert_eq!(of_label("Warning"), "warn");
    assert_eq!(of_label("NOTICE"), "NOTICE");
    assert_eq!(of_severity(9), "info");
    assert_eq!(of_severity(99), "unknown");
}
