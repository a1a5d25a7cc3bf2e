//! Texts and their trees, told by the canonical text.

use super::parse;

#[track_caller]
fn canonical(text: &str) -> String {
    match parse(text) {
        Ok(expr) => expr.to_string(),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn label_filters_bind_as_in_loki() {
    for (text, bound) in [
        (r#"{a="b"} | x=1, y=2 or z=3"#, "(x==1 and (y==2 or z==3))"),
        (r#"{a="b"} | x=1 or y=2, z=3"#, "(x==1 or (y==2 and z==3))"),
        (r#"{a="b"} | x=1 y=2, z=3 or w=4"#, "(x==1 and (y==2 and (z==3 or w==4)))"),
        (r#"{a="b"} | x=1 and y=2 or z=3"#, "((x==1 and y==2) or z==3)"),
        (r#"{a="b"} | x=1 or y=2 and z=3"#, "(x==1 or (y==2 and z==3))"),
        (r#"{a="b"} | (x=1 or y=2) and z>-3"#, "((x==1 or y==2) and z>-3)"),
        (r#"{a="b"} | duration>=1.5h"#, "duration>=1h30m"),
        (r#"{a="b"} | size<5KiB"#, "size<5120B"),
    ] {
        assert_eq!(canonical(text), format!(r#"{{a="b"}} | {bound}"#), "{text}");
    }
}

#[test]
fn operators_bind_as_in_loki() {
    for (text, bound) in [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))"),
        ("-2 ^ 2", "(-2 ^ 2)"),
        ("1 > bool 2 + 1", "(1 > bool (2 + 1))"),
        ("vector(1) or vector(2) and vector(3)", "(vector(1) or (vector(2) and vector(3)))"),
        (
            "vector(1) / on(a) group_left(b) vector(2)",
            "(vector(1) / on (a) group_left (b) vector(2))",
        ),
        (
            "vector(1) * on() group_right (vector(2))",
            "(vector(1) * on () group_right () vector(2))",
        ),
    ] {
        assert_eq!(canonical(text), bound, "{text}");
    }
}

#[test]
fn ranges_stand_in_every_order() {
    let json = r#"rate({a="b"} | json[5m])"#;
    for text in [
        r#"rate({a="b"} | json [5m])"#,
        r#"rate({a="b"}[5m] | json)"#,
        r#"rate(({a="b"} | json)[5m])"#,
        r#"rate((({a="b"} | json [5m])))"#,
    ] {
        assert_eq!(canonical(text), json, "{text}");
    }
    let unwrap = r#"sum_over_time({a="b"} | json | unwrap x | y==1[5m] offset 1m)"#;
    for text in [
        r#"sum_over_time({a="b"} | json | unwrap x | y=1 [5m] offset 1m)"#,
        r#"sum_over_time({a="b"}[5m] offset 1m | json | unwrap x | y=1)"#,
        r#"sum_over_time(({a="b"} | json | unwrap x | y=1)[5m] offset 1m)"#,
    ] {
        assert_eq!(canonical(text), unwrap, "{text}");
    }
    assert!(parse(r#"sum_over_time({a="b"} | json [5m] | unwrap x)"#).is_err());
}

#[test]
fn stages_read_back() {
    for text in [
        r#"{a="b", c!="d", e=~"f", g!~"h"}"#,
        r#"{a="b"} |= "x" or "y" != ip("1.2.3.4/8") |~ "z" !~ "w" |> "<_> u" !> "v""#,
        r#"{a="b"} | logfmt --strict --keep-empty c, d="e"#,
        r#"{a="b"} | json c="x.y[0]", d | unpack | decolorize"#,
        r#"{a="b"} | regexp "(?P<x>\\d+)" | pattern "<ip> - <_>""#,
        r#"{a="b"} | line_format "{{.x}}\t\"" | label_format x=y, z="{{.w}}""#,
        r#"{a="b"} | drop x, y=~"z" | keep w!="v""#,
        r#"{a="b"} | addr!=ip("::1") | count>1 | duration<1ns"#,
        r#"topk by (x) (3, label_replace(rate({a="b"}[1h30m]), "d", "$1", "s", "(.*)"))"#,
        r#"quantile_over_time(0.99, {a="b"} | unwrap duration_seconds(x)[5m] offset -1m) by (y)"#,
        r#"sum without () (bytes_rate({a="b"}[1ms]))"#,
    ] {
        let text = if text.ends_with("\"e") { format!("{text}\"") } else { text.to_owned() };
        assert_eq!(canonical(&text), text);
    }
}

#[test]
fn hostile_texts_are_errors_and_nothing_worse() {
    let long = 131_000;
    for text in [
        "(".repeat(long),
        "-".repeat(long),
        "sum(".repeat(long / 4),
        "1+".repeat(long / 2) + "1",
        "1^".repeat(long / 2) + "1",
        format!("{{a=\"b\"}} | {}", "(".repeat(long - 20)),
        format!("{{a=\"b\"}} | {}", "a=1,".repeat(long / 4 - 20)),
        format!("{{a=\"b\"}} | a=1 {}", "or a=1 ".repeat(long / 7 - 20)),
        format!("{{a=\"b\"}} {}", "|=`a`".repeat(long / 5 - 20)),
        format!("rate({}", "(".repeat(long - 20)),
        format!("rate({{a=\"b\"}} | unwrap x {}", "| a=1 ".repeat(long / 6 - 20)),
        format!("vector(1) on {}", "(".repeat(1000)),
    ] {
        assert!(parse(&text).is_err(), "{}", &text[..20]);
    }
}

#[test]
fn every_beginning_of_a_query_is_an_answer() {
    let text = concat!(
        r#"sum by (a) (rate({b="c", d=~"e"} |= `f` or "g" | json h="i[0]" | j > 1.5h "#,
        r#"or k = ip("1.1.1.1") | unwrap bytes(l) | m="" [5m] offset -1m)) > bool on (n) "#,
        r#"group_left (o) label_replace(vector(1), "p", "q", "r", "s") # t"#,
    );
    for end in 0..text.len() {
        let _ = parse(&text[..end]);
        let _ = parse(&text[end..]);
        let _ = parse(&format!("{}é{}", &text[..end], &text[end..]));
    }
}
