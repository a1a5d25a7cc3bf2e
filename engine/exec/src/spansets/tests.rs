//! Masks against a slow reading of the same rows, and whole searches.

mod reference;
mod searches;
mod spans;

use arrow::array::Array;
use plan::expr::{ArithmeticOp, CompareOp, Intrinsic, Literal};
use plan::node::DistinctOf;
use proptest::prelude::*;
use schemas::model::{Attribute, Scope, compile_anchored};
use schemas::tables::Table;

use super::value::{Value, compare};
use super::*;
use spans::{Span, attribute, batch};

fn text(value: &str) -> Expr {
    Expr::Literal(Literal::Text(value.to_owned()))
}

fn int(value: i64) -> Expr {
    Expr::Literal(Literal::Int(value))
}

fn cmp(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
}

fn equal(left: Expr, right: Expr) -> Expr {
    cmp(CompareOp::Equal, left, right)
}

fn intrinsic(intrinsic: Intrinsic) -> Expr {
    Expr::Intrinsic(intrinsic)
}

fn selected(predicate: &Expr, spans: &[Span]) -> Vec<usize> {
    let mask = mask(predicate, &batch(spans)).expect("a mask");
    assert_eq!(mask.null_count(), 0);
    mask.values().set_indices().collect()
}

#[test]
fn values_compare_as_the_language_says() {
    use CompareOp::{Equal, Greater, Less, NotEqual};
    let text = |it| Value::text(it);
    let array = |items: &[&'static str]| Value::Array(items.iter().map(|it| text(it)).collect());
    for (op, left, right, expected) in [
        (Equal, Value::Int(2), Value::Float(2.0), true),
        (Greater, Value::Float(2.5), Value::Int(2), true),
        (Equal, Value::Duration(5), Value::Int(5), true),
        (Equal, Value::Int((1 << 53) + 1), Value::Int(1 << 53), false),
        (NotEqual, Value::Int(5), text("x"), false),
        (NotEqual, Value::Absent, text("x"), false),
        (Equal, Value::Absent, Value::Absent, false),
        (Less, text("a"), text("b"), true),
        (Less, Value::Bool(false), Value::Bool(true), false),
        (Equal, Value::Status(2), Value::Kind(2), false),
        (Equal, Value::Status(2), Value::Int(2), false),
        (Equal, array(&["a", "b"]), text("b"), true),
        (NotEqual, array(&["a", "b"]), text("b"), false),
        (NotEqual, array(&["a", "b"]), text("c"), true),
        (NotEqual, array(&[]), text("c"), false),
        (Equal, text("a"), array(&["a"]), true),
        (Equal, array(&["a"]), array(&["a"]), false),
        (Equal, Value::Opaque("{}"), text("{}"), false),
    ] {
        assert_eq!(compare(op, &left, &right), expected, "{left:?} {op:?} {right:?}");
    }
}

#[test]
fn members_are_read_from_any_object() {
    let object = r#" { "a" : "x\"y" , "b.c":[1, 2.5,"z",[true]], "n":null,"o":{"a":{"x":"}"}},
        "d":{"$double":"NaN"},"i":-5,"f":1.0,"e":1e3,"t":true,"é\u00e9":"ü"}"#;
    let value = |key| json::member(object, key);
    assert_eq!(value("a"), Value::Text("x\"y".into()));
    let nested = Value::Array(vec![Value::Bool(true)]);
    let items = vec![Value::Int(1), Value::Float(2.5), Value::text("z"), nested];
    assert_eq!(value("b.c"), Value::Array(items));
    assert_eq!(value("n"), Value::Absent);
    assert_eq!(value("o"), Value::Opaque(r#"{"a":{"x":"}"}}"#));
    assert!(matches!(value("d"), Value::Float(it) if it.is_nan()));
    assert_eq!(value("i"), Value::Int(-5));
    assert_eq!(value("f"), Value::Float(1.0));
    assert_eq!(value("e"), Value::Float(1000.0));
    assert_eq!(value("éé"), Value::text("ü"));
    assert_eq!(value("x"), Value::Absent);
    for broken in ["", "{", "{\"a", "{\"a\":", "[1]", "{\"a\":\"\\", "{\"a\":[[[", "null", "{]}"] {
        assert_eq!(json::member(broken, "a"), Value::Absent, "{broken}");
    }
}

#[test]
fn events_must_satisfy_all_conditions_at_once() {
    let event_name = |name| equal(intrinsic(Intrinsic::EventName), text(name));
    let of_event = |key, value| equal(attribute(Some(Scope::Event), key), text(value));
    let span = Span::new(1, 1).event(150, "A", r#"{"k1":"v1"}"#).event(
        250,
        "B",
        r#"{"k1":"v9","k2":"v2"}"#,
    );
    let spans = [span, Span::new(1, 2)];
    let both = |left, right| Expr::And(vec![left, right]);
    assert_eq!(selected(&both(event_name("A"), of_event("k1", "v1")), &spans), [0]);
    assert_eq!(selected(&both(event_name("A"), of_event("k2", "v2")), &spans), [0; 0]);
    assert_eq!(selected(&of_event("k1", "v9"), &spans), [0]);
    let missing = Expr::Not(Box::new(Expr::Exists(Box::new(attribute(Some(Scope::Event), "k2")))));
    assert_eq!(selected(&missing, &spans), [0]);
    let late = intrinsic(Intrinsic::EventTimeSinceStart);
    let bound = Expr::Literal(Literal::Duration(200));
    assert_eq!(selected(&cmp(CompareOp::Greater, late, bound), &spans), [0]);
}

#[test]
fn a_span_says_whether_it_has_a_parent() {
    let spans = [Span::new(1, 1), Span::new(1, 2).child_of(1)];
    let parent = || intrinsic(Intrinsic::NestedSetParent);
    assert_eq!(selected(&cmp(CompareOp::Less, parent(), int(0)), &spans), [0]);
    assert_eq!(selected(&cmp(CompareOp::NotEqual, parent(), int(-1)), &spans), [1]);
    assert_eq!(selected(&equal(intrinsic(Intrinsic::ParentId), text("")), &spans), [0]);
    assert!(mask(&equal(parent(), int(5)), &batch(&spans)).is_err());
    assert!(mask(&equal(intrinsic(Intrinsic::RootName), text("a")), &batch(&spans)).is_err());
}

fn names(of: DistinctOf, limit: usize, spans: &[Span]) -> Vec<String> {
    let mut names = Names::new(of, limit);
    let rows = batch(spans);
    for column in names.columns(&Table::Spans.schema()) {
        assert!(rows.column_by_name(&column).is_some(), "{column}");
    }
    names.push(&rows).expect("rows");
    let found = names.finish().expect("a batch");
    let text = |column: usize, row| {
        arrow::util::display::array_value_to_string(found.column(column), row).expect("a text")
    };
    (0..found.num_rows()).map(|row| format!("{} {}", text(0, row), text(1, row))).collect()
}

#[test]
fn names_and_values_are_listed_once() {
    let spans = [
        Span::new(1, 1).attributes(r#"{"x":"b","y":[1,2]}"#).resource(r#"{"x":"r"}"#),
        Span::new(1, 2).attributes(r#"{"x":7,"http.response.status_code":200}"#),
        Span::new(2, 1).attributes(r#"{"x":"b"}"#).event(1, "A", r#"{"k":true}"#).child_of(9),
    ];
    let keys = names(DistinctOf::AttributeKeys, 100, &spans);
    let expected = [
        "event k",
        "resource service.name",
        "resource x",
        "span http.response.status_code",
        "span x",
        "span y",
    ];
    assert_eq!(keys, expected);
    let values = |scope, key: &str| {
        let attribute = Attribute { scope, key: key.to_owned() };
        names(DistinctOf::AttributeValues(attribute), 100, &spans)
    };
    assert_eq!(values(Some(Scope::Span), "x"), ["int 7", "string b"]);
    assert_eq!(values(None, "x"), ["int 7", "string b", "string r"]);
    assert_eq!(values(Some(Scope::Span), "y"), ["int 1", "int 2"]);
    assert_eq!(values(Some(Scope::Event), "k"), ["bool true"]);
    assert_eq!(values(Some(Scope::Resource), "service.name"), ["string shop"]);
    let status = names(DistinctOf::IntrinsicValues(Intrinsic::Status), 100, &spans);
    assert_eq!(status, ["keyword error", "keyword ok", "keyword unset"]);
    let of = DistinctOf::IntrinsicValues(Intrinsic::EventName);
    assert_eq!(names(of, 100, &spans), ["string A"]);
    let of = DistinctOf::IntrinsicValues(Intrinsic::RootName);
    assert_eq!(names(of, 100, &spans), ["string op1", "string op2"]);
    assert_eq!(names(DistinctOf::AttributeKeys, 2, &spans).len(), 2);
}

fn json_value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\"a\"",
        "\"b\"",
        "\"a\\\"b\"",
        "\"\\\"x\\\":1\"",
        "\"200\"",
        "\"é\"",
        "1",
        "2",
        "200",
        "1.0",
        "2.5",
        "true",
        "false",
        "null",
        "[\"a\",\"b\"]",
        "[1,2]",
        "[]",
        "{\"x\":\"a\"}",
        "{\"$double\":\"NaN\"}",
        "{\"$bytes\":\"YQ==\"}",
    ])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x",
        "y",
        "a/b",
        "http.request.method",
        "http.response.status_code",
        "host.name",
        "service.name",
    ])
}

fn object() -> impl Strategy<Value = String> {
    prop::collection::vec((key(), json_value()), 0..4).prop_map(|members| {
        let mut seen: Vec<&str> = Vec::new();
        let mut text = String::new();
        for (key, value) in members {
            if !seen.contains(&key) {
                seen.push(key);
                let comma = if text.is_empty() { "" } else { "," };
                text.push_str(&format!("{comma}\"{}\":{value}", key.replace('/', "\\/")));
            }
        }
        format!("{{{text}}}")
    })
}

fn span() -> impl Strategy<Value = Span> {
    let events = prop::collection::vec((0_i64..300, "[AB]", object()), 0..3);
    let links = prop::collection::vec(object(), 0..2);
    let parent = prop::option::of(1_u8..4);
    let parts = (object(), object(), object(), prop::option::of("[ab]"), 0..6, 0..3);
    (1_u8..4, parts, events, links, parent).prop_map(|(id, parts, events, links, parent)| {
        let (attributes, resource, scope, message, kind, status) = parts;
        let mut span = Span::new(1, id).attributes(&attributes).resource(&resource);
        span.scope = scope;
        span.message = message;
        span.kind = kind;
        span.status = status;
        span.parent = parent;
        span.links = links;
        for (at, name, attributes) in events {
            span = span.event(at, &name, &attributes);
        }
        span
    })
}

fn reference_expr() -> impl Strategy<Value = Expr> {
    let scope = prop::option::weighted(
        0.7,
        prop::sample::select(vec![
            Scope::Span,
            Scope::Resource,
            Scope::Instrumentation,
            Scope::Event,
            Scope::Link,
        ]),
    );
    let known = prop::sample::select(vec![
        Intrinsic::Name,
        Intrinsic::Duration,
        Intrinsic::Status,
        Intrinsic::StatusMessage,
        Intrinsic::Kind,
        Intrinsic::SpanId,
        Intrinsic::ParentId,
        Intrinsic::EventName,
        Intrinsic::EventTimeSinceStart,
        Intrinsic::InstrumentationName,
    ]);
    prop_oneof![
        3 => (scope, key()).prop_map(|(scope, key)| attribute(scope, key)),
        1 => known.prop_map(Expr::Intrinsic),
    ]
}

fn literal() -> impl Strategy<Value = Expr> {
    let literals = vec![
        Literal::Text("a".to_owned()),
        Literal::Text("b".to_owned()),
        Literal::Text("a\"b".to_owned()),
        Literal::Text("200".to_owned()),
        Literal::Text("op1".to_owned()),
        Literal::Text("0000000000000002".to_owned()),
        Literal::Text(String::new()),
        Literal::Int(1),
        Literal::Int(200),
        Literal::Float(2.0),
        Literal::Float(2.5),
        Literal::Bool(true),
        Literal::Bool(false),
        Literal::Duration(100),
        Literal::Status(2),
        Literal::Kind(2),
    ];
    prop::sample::select(literals).prop_map(Expr::Literal)
}

fn compare_op() -> impl Strategy<Value = CompareOp> {
    prop::sample::select(vec![
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::LessEqual,
        CompareOp::Greater,
        CompareOp::GreaterEqual,
    ])
}

fn predicate() -> impl Strategy<Value = Expr> {
    let pattern = prop::sample::select(vec!["a.*", "b|200", "", ".+", "op[12]"]);
    let op = prop::sample::select(vec![
        ArithmeticOp::Add,
        ArithmeticOp::Multiply,
        ArithmeticOp::Divide,
        ArithmeticOp::Modulo,
    ]);
    let leaf = prop_oneof![
        4 => (compare_op(), reference_expr(), literal())
            .prop_map(|(op, left, right)| cmp(op, left, right)),
        1 => (compare_op(), reference_expr(), reference_expr())
            .prop_map(|(op, left, right)| cmp(op, left, right)),
        1 => (compare_op(), op, reference_expr(), literal(), literal()).prop_map(
            |(compare, op, left, right, bound)| {
                let (left, right) = (Box::new(left), Box::new(right));
                cmp(compare, Expr::Arithmetic { op, left, right }, bound)
            }
        ),
        1 => (reference_expr(), pattern).prop_map(|(input, pattern)| Expr::Matches {
            input: Box::new(input),
            pattern: compile_anchored(pattern).expect("a pattern"),
        }),
        1 => reference_expr().prop_map(|input| Expr::Exists(Box::new(input))),
        1 => reference_expr(),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Expr::Or),
            inner.prop_map(|it| Expr::Not(Box::new(it))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn masks_equal_a_slow_reading(
        spans in prop::collection::vec(span(), 0..6),
        predicate in predicate(),
    ) {
        let expected: Vec<usize> =
            (0..spans.len()).filter(|at| reference::holds(&predicate, &spans[*at])).collect();
        prop_assert_eq!(selected(&predicate, &spans), expected);
        // The same rows as a slice of a larger batch, whose buffers do not start at zero.
        let rows = batch(&spans);
        if rows.num_rows() > 1 {
            let tail = rows.slice(1, rows.num_rows() - 1);
            let mask = mask(&predicate, &tail).expect("a mask");
            let tail: Vec<usize> = mask.values().set_indices().collect();
            let expected: Vec<usize> = (1..spans.len())
                .filter(|at| reference::holds(&predicate, &spans[*at]))
                .map(|at| at - 1)
                .collect();
            prop_assert_eq!(tail, expected);
        }
    }

    #[test]
    fn no_text_breaks_the_reading_of_objects(text in "[\\[\\]{}:,\"\\\\a1.e -]{0,24}") {
        let _ = json::member(&text, "a");
        for member in schemas::tables::object::members(&text) {
            let value = member.value;
            let _ = json::parsed(value);
        }
    }
}
