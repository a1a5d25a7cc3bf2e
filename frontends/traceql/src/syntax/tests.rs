//! Precedence, odd spellings, and the way from tree to text and back.

use plan::expr::{CompareOp, Intrinsic};
use proptest::prelude::*;
use schemas::model::{Attribute, Scope};

use super::ast::*;
use super::parse;

fn shown(text: &str) -> String {
    match parse(text) {
        Ok(query) => query.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn precedence_is_that_of_the_language() {
    for (text, expected) in [
        ("{ .a || .b && .c }", "{ (.a || .b) && .c }"),
        ("{ .a && .b && .c }", "{ .a && .b && .c }"),
        ("{ -.a * 2 = 1 }", "{ (-(.a * 2)) = 1 }"),
        ("{ !.a = .b }", "{ (!.a) = .b }"),
        ("{ ! .a * 2 }", "{ !(.a * 2) }"),
        ("{ -.a + 2 = 1 }", "{ ((-.a) + 2) = 1 }"),
        ("{ 2 ^ 3 ^ .a = 1 }", "{ (2 ^ (3 ^ .a)) = 1 }"),
        ("{ 8 / 4 / .a = 1 }", "{ ((8 / 4) / .a) = 1 }"),
        ("{ .a = 1 = true }", "{ (.a = 1) = true }"),
        ("{.a} || {.b} && {.c}", "({ .a } || { .b }) && { .c }"),
        ("{.a} >> {.b} && {.c}", "({ .a } >> { .b }) && { .c }"),
        ("{.a} && {.b} >> {.c}", "{ .a } && ({ .b } >> { .c })"),
        ("{.a} > {.b} > {.c}", "({ .a } > { .b }) > { .c }"),
        ("({} | rate()) + 1 + 2", "(({} | rate()) + 1) + 2"),
        ("5 + ({} | rate()) * 10", "5 + (({} | rate()) * 10)"),
        ("100 / 3 + ({} | rate())", "33 + ({} | rate())"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn names_of_attributes_hold_almost_anything() {
    for (text, expected) in [
        ("{ .a+1 > 2 }", "{ .a+1 > 2 }"),
        (r#"{ ."foo".bar }"#, "{ .foo.bar }"),
        (r#"{ span."a b".c }"#, r#"{ span."a b.c" }"#),
        (r#"{ ."a\"b" }"#, r#"{ ."a\"b" }"#),
        ("{ parent.span.a }", "{ parent.span.a }"),
        ("{ parent.a }", "{ parent.a }"),
        ("{ ./a//b }", "{ ./a//b }"),
        ("{ .a /* c */ = /**/ 1 // d\n }", "{ .a = 1 }"),
        ("{ .a = `x\"y` }", r#"{ .a = "x\"y" }"#),
        (r#"{ .a = "\x41é\n\101" }"#, r#"{ .a = "Aé\nA" }"#),
        ("{ .5 = 0.5 }", "{ 0.5 = 0.5 }"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn durations_take_both_forms() {
    for (text, expected_ns) in [
        ("1h30m", 5_400_000_000_000_i64),
        ("1.5s", 1_500_000_000),
        ("1y", 31_536_000_000_000_000),
        ("1w2d", 777_600_000_000_000),
        ("10ms", 10_000_000),
        ("3us", 3_000),
        ("3µs", 3_000),
        ("7ns", 7),
    ] {
        assert_eq!(super::literal::duration_ns(text), Some(expected_ns), "{text}");
    }
    for text in ["1x", "1d1w", "1.5d", "s", "99999999y", "1..5s", ".s"] {
        assert_eq!(super::literal::duration_ns(text), None, "{text}");
    }
}

#[test]
fn bad_tokens_are_errors() {
    for text in [
        "{ 'a' = 1 }",
        "{ .a = 0x10 }",
        "{ .a = 1_000 }",
        "{ .a = 10sx }",
        "{ .a = \"x }",
        "{ .a = \"x\ny\" }",
        "{ .a = \"\\q\" }",
        "{ .a = `x }",
        "{ . }",
        "{ span. = 1 }",
        "{ .\"x }",
        "/* {}",
        "{ .a = 9223372036854775808 }",
        "{ .a = 1e999 }",
        "{ foo:bar }",
        "{ span:bar }",
        "{ # }",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), crate::ErrorKind::Parse, "{text}");
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,3}(\\.[a-z]{1,3})?", "[a-z0-9 .\"\\\\=/é{}\n-]{1,8}"]
}

fn attribute() -> impl Strategy<Value = FieldKind> {
    let scope = prop::option::of(prop::sample::select(vec![
        Scope::Span,
        Scope::Resource,
        Scope::Event,
        Scope::Link,
        Scope::Instrumentation,
    ]));
    let parent_scope = prop::option::of(prop::sample::select(vec![Scope::Span, Scope::Resource]));
    prop_oneof![
        4 => (scope, key()).prop_map(|(scope, key)| FieldKind::Attribute(Attribute { scope, key })),
        1 => (parent_scope, key())
            .prop_map(|(scope, key)| FieldKind::ParentAttribute(Attribute { scope, key })),
    ]
}

fn reference() -> impl Strategy<Value = Field> {
    let intrinsics = super::literal::INTRINSICS.iter().map(|it| it.2).collect::<Vec<Intrinsic>>();
    prop_oneof![
        attribute(),
        prop::sample::select(intrinsics).prop_map(FieldKind::Intrinsic),
        Just(FieldKind::Parent),
    ]
    .prop_map(field_of)
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Nil),
        any::<bool>().prop_map(Literal::Bool),
        (0..i64::MAX).prop_map(Literal::Int),
        Just(Literal::Int(i64::MIN)),
        (0.0..1e300).prop_map(Literal::Float),
        (0..i64::MAX).prop_map(Literal::Duration),
        (0..3).prop_map(Literal::Status),
        (0..6).prop_map(Literal::Kind),
        "[ -~é\n\t]{0,8}".prop_map(Literal::Text),
    ]
}

fn field_of(kind: FieldKind) -> Field {
    Field { kind, span: Span::default() }
}

fn field() -> impl Strategy<Value = Field> {
    let leaf = prop_oneof![
        reference(),
        literal().prop_map(|literal| field_of(FieldKind::Literal(literal)))
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let compare = prop::sample::select(vec![
            FieldOp::Compare(CompareOp::Equal),
            FieldOp::Compare(CompareOp::GreaterEqual),
            FieldOp::Regex,
            FieldOp::NotRegex,
            FieldOp::Arithmetic(ArithmeticOp::Subtract),
            FieldOp::Arithmetic(ArithmeticOp::Modulo),
            FieldOp::Arithmetic(ArithmeticOp::Power),
        ]);
        prop_oneof![
            inner.clone().prop_map(|it| FieldKind::Negate(Box::new(it))),
            inner.clone().prop_map(|it| FieldKind::Not(Box::new(it))),
            (compare, inner.clone(), inner.clone()).prop_map(|(op, left, right)| {
                FieldKind::Binary { op, left: Box::new(left), right: Box::new(right) }
            }),
            prop::collection::vec(inner.clone(), 2..4).prop_map(FieldKind::And),
            prop::collection::vec(inner, 2..4).prop_map(FieldKind::Or),
        ]
        .prop_map(field_of)
    })
}

fn spansets() -> impl Strategy<Value = SpansetExpr> {
    let leaf = prop::option::of(field()).prop_map(SpansetExpr::Filter);
    leaf.prop_recursive(3, 8, 2, |inner| {
        let relation = prop::sample::select(vec![
            Relation::Child,
            Relation::Parent,
            Relation::Descendant,
            Relation::Ancestor,
            Relation::Sibling,
        ]);
        let mode = prop::sample::select(vec![Mode::Related, Mode::Unrelated, Mode::Union]);
        let op = prop_oneof![
            Just(SpansetOp::And),
            Just(SpansetOp::Or),
            (relation, mode).prop_map(|(relation, mode)| SpansetOp::Structural(relation, mode)),
        ];
        prop_oneof![
            (op, inner.clone(), inner.clone()).prop_map(|(op, left, right)| {
                let (left, right) = (Box::new(left), Box::new(right));
                SpansetExpr::Binary { op, left, right, span: Span::default() }
            }),
            (inner, field()).prop_map(|(spansets, by)| {
                SpansetExpr::Pipeline(vec![Stage::Spansets(spansets), Stage::By(by)])
            }),
        ]
    })
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-1e9..1e9).prop_map(Number::Float),
        any::<i64>()
            .prop_filter("fits both signs", |it| *it != i64::MIN)
            .prop_map(Number::Duration),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        spansets().prop_map(Stage::Spansets),
        field().prop_map(Stage::By),
        prop::collection::vec(reference(), 1..3)
            .prop_map(|fields| Stage::Select(fields, Span::default())),
        (field(), number()).prop_map(|(field, number)| {
            let (function, span) = (AggregateFunction::Max, Span::default());
            let left = Scalar::Aggregate(function, Some(field), span.clone());
            let right = Scalar::Number(number);
            Stage::ScalarFilter(ScalarFilter { op: CompareOp::Less, left, right, span })
        }),
    ]
}

fn metrics() -> impl Strategy<Value = Metrics> {
    let function = prop_oneof![
        Just(MetricFunction::Rate),
        reference().prop_map(|it| MetricFunction::OverTime(AggregateFunction::Min, it)),
        reference().prop_map(|it| MetricFunction::QuantileOverTime(it, vec![Number::Float(0.5)])),
        prop::option::of(field()).prop_map(|it| MetricFunction::Compare(it, vec![10])),
    ];
    let plain = any::<i32>().prop_map(|it| Number::Int(i64::from(it)));
    (stage(), function, prop::option::of(plain)).prop_map(|(stage, function, math)| {
        let span = Span::default();
        let by = Vec::new();
        let source = MetricSource::Pipeline { stages: vec![stage], function, by, span };
        let metrics = Metrics { source, second: vec![SecondStage::TopK(3, Span::default())] };
        let Some(number) = math else { return metrics };
        let left = Box::new(MetricOperand::Number(number));
        let right = Box::new(MetricOperand::Metrics(metrics));
        let (op, span) = (ArithmeticOp::Divide, Span::default());
        let second = vec![SecondStage::Filter(CompareOp::Less, number, Span::default())];
        Metrics { source: MetricSource::Binary { op, left, right, span }, second }
    })
}

proptest! {
    #[test]
    fn searches_survive_display_and_parse(stages in prop::collection::vec(stage(), 1..3)) {
        let query = Query { root: Root::Pipeline(stages), hints: Vec::new() };
        prop_assert_eq!(parse(&query.to_string()), Ok(query));
    }

    #[test]
    fn metrics_survive_display_and_parse(metrics in metrics(), value in literal()) {
        let hints = vec![Hint { name: "sample".to_owned(), value }];
        let query = Query { root: Root::Metrics(metrics), hints };
        prop_assert_eq!(parse(&query.to_string()), Ok(query));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[ -~\\n]{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_tokens_make_the_parser_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "(", ")", "|", "&&", "!~", ">>", "=", "-", ".a", "span:id", "1", "2s",
            "\"x\"",
            "by", "count", "rate", "select", "with", "topk", "compare", ",", "nil", "coalesce", "+",
        ]), 0..24)
    ) {
        let _ = parse(&words.join(" "));
    }
}
