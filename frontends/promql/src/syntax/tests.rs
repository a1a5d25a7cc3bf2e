//! Texts, their trees, and back.

use proptest::prelude::*;

use super::ast::{BinaryOp, Expr, ExprKind};
use super::number::{parse_duration, parse_number};
use super::quote::{quote, unquote};
use super::{display, parse};

fn tree(text: &str) -> Expr {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Texts with their canonical spelling.
const SPELLINGS: &[(&str, &str)] = &[
    ("1", "1"),
    ("+1", "1"),
    ("--1", "1"),
    ("-1^2", "-1 ^ 2"),
    ("0x1F", "31"),
    ("017", "15"),
    ("08", "8"),
    ("1_000", "1000"),
    (".5e1", "5"),
    ("1e21", "1000000000000000000000"),
    ("-iNf", "-Inf"),
    ("nan", "NaN"),
    ("1h30m", "1h30m"),
    ("-90m", "-1h30m"),
    ("14d", "2w"),
    ("100d", "100d"),
    ("0s", "0s"),
    ("'it''s'", ""),
    ("'a\"\\'\\n\\x41\\101\\u00e9\\xff'", "\"a\\\"'\\nAAé\\xff\""),
    ("`a\\n`", "\"a\\\\n\""),
    ("foo # with a comment\n + bar", "foo + bar"),
    ("foo{}", "foo"),
    ("foo{ a = \"b\" , c!~'d', }", "foo{a=\"b\", c!~\"d\"}"),
    ("{\"foo\", a=\"b\"}", "foo{a=\"b\"}"),
    ("{\"foo.bar\", \"x y\"=\"z\"}", "{\"foo.bar\", \"x y\"=\"z\"}"),
    ("{\"inf\"}", "{\"inf\"}"),
    ("{__name__=~\"a|b\"}", "{__name__=~\"a|b\"}"),
    (":a:b", ":a:b"),
    ("sum", "sum"),
    ("and and and", "and and and"),
    ("start + end", "start + end"),
    ("foo offset 5m", "foo offset 5m"),
    ("foo offset -300", "foo offset -5m"),
    ("foo OFFSET 0s @ 1.5", "foo @ 1.500"),
    ("foo offset 1m @ -5.123", "foo @ -5.123 offset 1m"),
    ("foo @ start() offset step()*2", "foo @ start() offset step() * 2"),
    ("foo offset -(min_of(step(), 1s))+8000", "foo offset -(min_of(step(), 1s)) + 8000"),
    ("foo[5m] @ end() offset 1h", "foo[5m] @ end() offset 1h"),
    ("foo[300]", "foo[5m]"),
    ("foo[1.0005]", "foo[1.0005]"),
    ("foo[2*(1m+30)^2%7]", "foo[2 * (1m + 30) ^ 2 % 7]"),
    ("foo[5m] smoothed offset 1m", "foo[5m] smoothed offset 1m"),
    ("foo anchored @ 1", "foo @ 1.000 anchored"),
    ("(a+b)[5m:] offset 1m", "(a + b)[5m:] offset 1m"),
    ("foo[5m:1m][1h:5m]", "foo[5m:1m][1h:5m]"),
    ("foo[5m:step()+1]", "foo[5m:step() + 1]"),
    ("a*b+c", "a * b + c"),
    ("a==BOOL b", "a == bool b"),
    ("a ATAN2 b </ c", "a atan2 b </ c"),
    ("a/on(x,)group_left b", "a / on (x) group_left () b"),
    ("a*ignoring()group_right(y)b", "a * ignoring () group_right (y) b"),
    ("a+fill(-1)b", "a + fill (-1) b"),
    ("a+fill_right(2)fill_left(NaN)b", "a + fill_left (NaN) fill_right (2) b"),
    ("a + fill", "a + fill"),
    ("SUM(a)", "sum(a)"),
    ("sum(a) by (x, \"y z\")", "sum by (x, \"y z\") (a)"),
    ("sum without () (a)", "sum without () (a)"),
    ("sum by () (a)", "sum by () (a)"),
    ("topk(5, a) by (by)", "topk by (by) (5, a)"),
    ("count_values('v', a)", "count_values(\"v\", a)"),
    ("-foo^2", "-foo ^ 2"),
    ("+-foo", "+-foo"),
    ("time()", "time()"),
    ("info(a, {b=~\".*\"})", "info(a, {b=~\".*\"})"),
    ("rate((foo[5m]))", "rate((foo[5m]))"),
];

#[test]
fn spellings() {
    for (text, canonical) in SPELLINGS {
        if canonical.is_empty() {
            assert!(parse(text).is_err(), "{text}");
            continue;
        }
        let expr = tree(text);
        assert_eq!(display(&expr), *canonical, "{text}");
        assert_eq!(tree(canonical), expr, "{text}");
    }
}

fn shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Binary(binary) => {
            let (left, right) = (shape(&binary.left), shape(&binary.right));
            format!("({left} {} {right})", binary.op.name())
        }
        ExprKind::Unary(unary) => format!("(-{})", shape(&unary.operand)),
        _ => display(expr),
    }
}

#[test]
fn precedence() {
    for (text, expected) in [
        ("a or b and c == d + e * f ^ g", "(a or (b and (c == (d + (e * (f ^ g))))))"),
        ("a ^ b * c + d > e unless f or g", "((((((a ^ b) * c) + d) > e) unless f) or g)"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("a / b atan2 c % d", "(((a / b) atan2 c) % d)"),
        ("-a ^ b", "(-(a ^ b))"),
        ("-a * b", "((-a) * b)"),
        ("a ^ -b ^ c * d", "((a ^ (-(b ^ c))) * d)"),
        ("a >= b == c", "((a >= b) == c)"),
        ("a and b unless c", "((a and b) unless c)"),
        ("a offset 5m + 1", "(a offset 5m + 1)"),
    ] {
        assert_eq!(shape(&tree(text)), expected);
    }
}

#[test]
fn spans() {
    let text = "  sum (foo)  + -bar[5m] offset 1m";
    let expr = tree(text);
    assert_eq!(&text[expr.span.clone()], text.trim());
    let ExprKind::Binary(binary) = expr.kind else { panic!("not an operation") };
    assert_eq!(binary.op, BinaryOp::Add);
    assert_eq!(&text[binary.left.span], "sum (foo)");
    assert_eq!(&text[binary.right.span], "-bar[5m] offset 1m");
}

#[test]
fn numbers() {
    assert_eq!(parse_duration("1y2w3d4h5m6s7ms"), Ok(33_019_506.007));
    for text in ["5", "5m5m", "5s5m", "m", "300y", "99999999999999999999s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    assert_eq!(parse_number("0x7fffffffffffffff"), Ok(i64::MAX as f64));
    assert_eq!(parse_number("99999999999999999999"), Ok(1e20));
    for text in ["0x", "0x8000000000000000", "1e", "1e999", "_"] {
        assert!(parse_number(text).is_err(), "{text}");
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>()
            .prop_filter("a literal", |n| n.is_finite())
            .prop_map(|n| format!("{:e}", n.abs())),
        (0..1_000_000_u32).prop_map(|n| n.to_string()),
        (0..10_000_000_u32).prop_map(|n| format!("{n}ms")),
        (1..90_u32, 1..90_u32).prop_map(|(h, m)| format!("{h}h{m}m")),
        Just("Inf".to_owned()),
        Just("NaN".to_owned()),
    ]
}

fn word() -> impl Strategy<Value = String> {
    const KEYWORDS: &[&str] =
        &["sum", "by", "and", "start", "offset", "fill", "smoothed", "step", "min_of"];
    prop_oneof![
        "[a-z_][a-z0-9_]{0,4}".prop_filter("not reserved", |word| {
            !["on", "bool", "inf", "nan"].contains(&word.as_str())
        }),
        proptest::sample::select(KEYWORDS).prop_map(str::to_owned),
    ]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![word(), any::<String>().prop_map(|label| quote(format!("{label}.").as_bytes()))]
}

fn labels() -> impl Strategy<Value = String> {
    proptest::collection::vec(label(), 0..3).prop_map(|labels| format!("({})", labels.join(",")))
}

fn duration() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (1..100_000_u32).prop_map(|n| format!("{n}s")),
        (1..100_000_u32).prop_map(|n| n.to_string()),
        Just("step()".to_owned()),
        Just("range()".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("max_of({a}, {b})")),
            (inner.clone(), "[-+*/%^]", inner.clone())
                .prop_map(|(a, op, b)| { format!("{a} {op} {b}") }),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.prop_map(|inner| format!("-({inner})")),
        ]
    })
}

fn selector() -> impl Strategy<Value = String> {
    let value = any::<String>().prop_map(|value| quote(value.as_bytes()));
    let matchers = proptest::collection::vec((label(), "=|!=", value), 0..3).boxed();
    let name = any::<String>().prop_map(|name| quote(name.as_bytes()));
    const MODIFIERS: &[&str] =
        &["", " offset 5m", " @ 12.345", " @ start() offset -1h", " smoothed"];
    let modifiers = proptest::sample::select(MODIFIERS);
    let join = |matchers: Vec<(String, String, String)>| {
        let matchers = matchers.into_iter().map(|(label, op, value)| label + &op + &value);
        matchers.collect::<Vec<_>>().join(", ")
    };
    prop_oneof![
        (word(), matchers.clone(), modifiers.clone())
            .prop_map(move |(name, on, modifier)| format!("{name}{{{}}}{modifier}", join(on))),
        (name, matchers, modifiers)
            .prop_map(move |(name, on, modifier)| format!("{{{name}, {}}}{modifier}", join(on))),
    ]
}

fn expr() -> impl Strategy<Value = String> {
    let text = any::<Vec<u8>>().prop_map(|bytes| quote(&bytes));
    let leaf = prop_oneof![number(), text, selector(), selector()];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let op = proptest::sample::select(
            &[
                "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "and",
                "or", "unless", "</", ">/", "> bool",
            ][..],
        );
        let clause = prop_oneof![
            3 => Just(String::new()),
            1 => labels().prop_map(|labels| format!("on {labels}")),
            1 => (labels(), labels()).prop_map(|(a, b)| format!("ignoring {a} group_left {b}")),
            1 => number().prop_map(|number| format!("fill_left (-{number})")),
        ];
        prop_oneof![
            2 => (inner.clone(), op, clause, inner.clone())
                .prop_map(|(a, op, clause, b)| format!("{a} {op} {clause} {b}")),
            1 => inner.clone().prop_map(|inner| format!("({inner})")),
            1 => inner.clone().prop_map(|inner| format!("-{inner}")),
            1 => inner.clone().prop_map(|inner| format!("+{inner}")),
            1 => inner.clone().prop_map(|inner| format!("abs({inner})")),
            1 => (inner.clone(), labels()).prop_map(|(a, by)| format!("sum by {by} ({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("topk({a}, {b})")),
            1 => (inner.clone(), duration()).prop_map(|(a, d)| format!("({a})[{d}:]")),
            1 => (inner, duration()).prop_map(|(a, d)| format!("({a})[1h:{d}] offset ({d})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Types do not matter here: what parses is written so that it parses to the same.
    #[test]
    fn written_reads_the_same(text in expr()) {
        let tree = tree(&text);
        let written = display(&tree);
        prop_assert_eq!(parse(&written), Ok(tree), "{}", written);
    }

    #[test]
    fn quoted_reads_the_same(bytes in any::<Vec<u8>>()) {
        prop_assert_eq!(unquote(&quote(&bytes)), Ok(bytes));
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_signs_are_answered(text in "[-+a1m(){}\\[\\]:,@=!~\"'\\\\ <>/^#]{0,40}") {
        let _ = parse(&text);
    }
}
