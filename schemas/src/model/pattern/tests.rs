//! What RE2 says, asked of the translated pattern.

use super::{compile_anchored, compile_search};

#[track_caller]
fn matches(pattern: &str, text: &str) -> bool {
    compile_search(pattern).expect("the pattern compiles").is_match(text)
}

#[test]
fn braces_that_do_not_repeat_are_literal() {
    assert!(matches("{foo}", "a{foo}b"));
    assert!(matches("a{", "a{"));
    assert!(matches("x{,5}", "x{,5}"));
    assert!(matches("^x{2,3}$", "xx"));
    assert!(!matches("^x{2,3}$", "x"));
    assert!(matches("{.*}", r#"{"a":1}"#));
    assert!(matches(r"^\x{41}\p{Greek}$", "Aα"));
}

#[test]
fn perl_classes_are_ascii() {
    assert!(!matches(r"\d", "٣"));
    assert!(!matches(r"^\w$", "é"));
    assert!(!matches(r"\s", "\u{b}"));
    assert!(matches(r"^[\d\s]+$", "1 2"));
    assert!(matches(r"^[^\D]$", "1"));
    assert!(matches(r"\bfoo\b", "éfooé"));
    assert!(matches(r"a\Bb", "ab"));
}

#[test]
fn escapes_that_differ() {
    assert!(matches(r"\<b\>", "<b>"));
    assert!(matches(r"^\Qa.b*\E+$", "a.b**"));
    assert!(!matches(r"^\Qa.b\E$", "axb"));
    assert!(matches(r"^\101\x42$", "AB"));
    assert!(compile_search(r"\8").is_err());
    assert!(compile_search(r"\1").is_err());
    assert!(compile_search(r"\C").is_err());
    assert!(compile_search(r"a\").is_err());
}

#[test]
fn classes_have_no_set_operators() {
    assert!(matches("^[[a]$", "["));
    assert!(matches("^[a&&b]$", "&"));
    assert!(matches("^[a~~b]$", "~"));
    assert!(matches("^[]a]$", "]"));
    assert!(matches("^[^]a]$", "b"));
    assert!(matches("^[a-]$", "-"));
    assert!(matches("^[[:alpha:]_-]+$", "ab_-"));
    assert!(matches("^[a-c-e]+$", "b-e"));
    assert!(compile_search("[a--b]").is_err());
    assert!(compile_search("[a").is_err());
}

#[test]
fn repeats_are_not_repeated() {
    for refused in ["a**", "a{1,2}{3}", "a+?+", "a{1001}", "a)(b", "(?x)a", "(?u:a)"] {
        assert!(compile_search(refused).is_err(), "{refused}");
        assert!(compile_anchored(refused).is_err(), "{refused}");
    }
    assert!(matches("^a+?$", "aaa"));
    assert!(matches("^(?:a*)*$", "aaa"));
}

#[test]
fn groups_and_flags_stay() {
    let pattern = compile_search(r"(?P<user>\w+)@(?<host>[a-z.]+)").expect("compiles");
    let found = pattern.captures("me@example.org").expect("matches");
    assert_eq!((&found["user"], &found["host"]), ("me", "example.org"));
    assert!(matches("(?i:error)|(?s)a.b", "a\nb"));
    assert!(matches("(?i)ERR", "an err"));
}

#[test]
fn anchored_patterns_match_the_whole_text_and_line_feeds() {
    let pattern = compile_anchored("a|b.*").expect("compiles");
    assert!(pattern.is_match("b\nc"));
    assert!(!pattern.is_match("ab"));
}
