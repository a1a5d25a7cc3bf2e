//! Writing JSON.

use super::*;

fn text(text: &str) -> String {
    let mut out = String::new();
    write_text(&mut out, text);
    out
}

#[test]
fn texts_are_escaped() {
    assert_eq!(text("plain ü"), r#""plain ü""#);
    assert_eq!(text("a\"b\\c\nd\te\u{1}ü\r"), r#""a\"b\\c\nd\te\u0001ü\r""#);
    assert_eq!(text(""), r#""""#);
}

#[test]
fn floats_are_written_as_go_does() {
    for (value, prometheus, loki) in [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (1.0, "1", "1"),
        (0.1, "0.1", "0.1"),
        (-12.5, "-12.5", "-12.5"),
        (1e20, "100000000000000000000", "100000000000000000000"),
        (1e21, "1e+21", "1000000000000000000000"),
        (1e-7, "1e-07", "0.0000001"),
        (-2.5e-7, "-2.5e-07", "-0.00000025"),
        (1e-6, "0.000001", "0.000001"),
        (1.5e300, "1.5e+300", &format!("15{}", "0".repeat(299))),
        (f64::INFINITY, "+Inf", "+Inf"),
        (f64::NEG_INFINITY, "-Inf", "-Inf"),
        (f64::NAN, "NaN", "NaN"),
        (123456789012345680.0, "123456789012345680", "123456789012345680"),
    ] {
        let mut out = String::new();
        write_prometheus_float(&mut out, value);
        assert_eq!(out, prometheus);
        out.clear();
        write_float(&mut out, value);
        assert_eq!(out, loki);
    }
}

#[test]
fn keys_and_items_are_separated() {
    let mut out = "{".to_owned();
    write_key(&mut out, "a");
    write_texts(&mut out, ["x", "y"]);
    write_key(&mut out, "b");
    write_texts(&mut out, Vec::<String>::new());
    out.push('}');
    assert_eq!(out, r#"{"a":["x","y"],"b":[]}"#);
}
