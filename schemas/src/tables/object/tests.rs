//! Objects as they stand in columns, and text that is none.

use super::{Scalar, members, scalar, unquoted, write_member, write_text};

fn read(text: &str) -> (Vec<(String, &str)>, bool) {
    let mut members = members(text);
    let read = members.by_ref().map(|it| (it.key.into_owned(), it.value)).collect();
    (read, members.is_whole())
}

#[test]
fn members_come_in_their_order_with_their_text() {
    let text = r#" { "a" : 1 , "b.c":[1,{"x":"]}"}],"d\"\\é":{"y":{}},"":"","e":null } "#;
    let expected = [
        ("a", "1"),
        ("b.c", r#"[1,{"x":"]}"}]"#),
        ("d\"\\é", r#"{"y":{}}"#),
        ("", r#""""#),
        ("e", "null"),
    ];
    let (found, is_whole) = read(text);
    let found: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!((found.as_slice(), is_whole), (expected.as_slice(), true));
    assert_eq!(read("{}"), (vec![], true));
}

#[test]
fn what_is_not_of_the_form_ends_the_object() {
    for text in ["", "x", "[1]", "\"a\"", "{\"a\"", "{\"a\":", "{\"a\":}", "{a:1}", "{\"a\" 1}"] {
        assert_eq!(read(text), (vec![], false), "{text}");
    }
    for text in [r#"{"a":1,"b"#, r#"{"a":1"#, r#"{"a":1}x"#, r#"{"a":1,,"b":2}"#] {
        assert_eq!(read(text), (vec![("a".to_owned(), "1")], false), "{text}");
    }
}

#[test]
fn scalars_have_the_types_of_the_form() {
    let text = |text: &'static str| Some(Scalar::Text(text.into()));
    assert_eq!(scalar(r#""""#), text(""));
    assert_eq!(scalar(r#""a\nb""#), text("a\nb"));
    assert_eq!(scalar("-12"), Some(Scalar::Int(-12)));
    assert_eq!(scalar("1.0"), Some(Scalar::Double(1.0)));
    assert_eq!(scalar("1e300"), Some(Scalar::Double(1e300)));
    assert_eq!(scalar(r#"{"$double":"-Infinity"}"#), Some(Scalar::Double(f64::NEG_INFINITY)));
    assert_eq!(scalar("true"), Some(Scalar::Bool(true)));
    for none in ["", "null", "[1]", "{}", r#"{"$bytes":"AA=="}"#, "tru", "9223372036854775808"] {
        assert_eq!(scalar(none), None, "{none}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let texts = ["", "a\"b\\c", "\u{0}\u{1f}\n\r\t", "ä😀", "/"];
    for text in texts {
        let mut out = String::new();
        write_text(&mut out, text);
        assert_eq!(unquoted(&out).as_deref(), Some(text));
    }
    let scalars = [
        Scalar::Int(i64::MIN),
        Scalar::Double(-0.0),
        Scalar::Double(0.1),
        Scalar::Double(f64::MAX),
        Scalar::Double(f64::INFINITY),
        Scalar::Bool(false),
        Scalar::Text("x".into()),
    ];
    let mut out = String::new();
    for value in &scalars {
        write_member(&mut out, "k", value);
    }
    out.push('}');
    let found: Vec<_> = members(&out).map(|it| scalar(it.value)).collect();
    assert_eq!(found, scalars.map(Some));
}

#[test]
fn escapes_of_json_are_understood_and_others_refused() {
    let good = [(r#""\ud83d\ude00\u00e4""#, "😀ä"), (r#""\/\b\f""#, "/\u{8}\u{c}")];
    for (quoted, text) in good {
        assert_eq!(unquoted(quoted).as_deref(), Some(text));
    }
    for bad in [r#""\x""#, r#""\u12""#, r#""\ud83d""#, r#""\ud83dA""#, r#""\u+123""#, "a", "\""] {
        assert_eq!(unquoted(bad), None, "{bad}");
    }
}
