//! The whole way from text to plan, and the language's own examples.

use std::fs;
use std::path::Path;

use plan::explain;
use plan::node::DistinctOf;

use super::*;

const PARAMS: Params = Params { range: TimeRange { start_ns: 0, end_ns: 1_000 }, limit: 20 };

fn plan_of(text: &str) -> String {
    match search(text, &PARAMS) {
        Ok(query) => explain(&query.root),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

fn kind_of(text: &str) -> Result<(), ErrorKind> {
    search(text, &PARAMS).map(drop).map_err(|error| error.kind())
}

/// The examples of one list of the file: `- '…'` or `- "…"` a line.
fn examples(yaml: &str, list: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut in_list = false;
    for line in yaml.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            in_list = line.strip_suffix(':') == Some(list);
        }
        let Some(item) = line.trim_start().strip_prefix("- ").filter(|_| in_list) else {
            continue;
        };
        examples.push(yaml_text(item));
    }
    examples
}

fn yaml_text(item: &str) -> String {
    let quote = item.chars().next().unwrap_or_default();
    let mut text = String::new();
    let mut chars = item[1..].chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote == '"' => match chars.next() {
                Some('n') => text.push('\n'),
                Some(c) => text.push(c),
                None => {}
            },
            '\'' if quote == '\'' && chars.peek() == Some(&'\'') => {
                chars.next();
                text.push('\'');
            }
            c if c == quote => break,
            c => text.push(c),
        }
    }
    text
}

#[test]
fn examples_of_the_language_are_told_apart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("../shared/conformance/traceql/test_examples.yaml");
    let Ok(yaml) = fs::read_to_string(&path) else {
        eprintln!("skipped: {} is absent", path.display());
        return;
    };
    let mut wrong = Vec::new();
    let mut expect = |list: &str, right: &dyn Fn(&str) -> bool| {
        let examples = examples(&yaml, list);
        assert!(examples.len() > 10, "{list} has {} examples", examples.len());
        wrong.extend(examples.into_iter().filter(|text| !right(text)).map(|text| {
            let outcome = syntax::parse(&text).map(|query| check::check(&query));
            format!("{list}: {text}: {outcome:?}")
        }));
    };
    let checked = |text: &str| syntax::parse(text).and_then(|query| check::check(&query));
    expect("valid", &|text| checked(text).is_ok());
    expect("parse_fails", &|text| syntax::parse(text).is_err());
    expect("validate_fails", &|text| {
        syntax::parse(text).is_ok()
            && checked(text).map_err(|it| it.kind()) == Err(ErrorKind::Invalid)
    });
    expect("unsupported", &|text| kind_of(text) == Err(ErrorKind::Unsupported));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_search_is_the_newest_traces_of_its_spansets() {
    let plan = plan_of(r#"{ resource.service.name = "a" } >> { status = error } | count() > 2"#);
    let nodes: Vec<&str> =
        plan.lines().filter_map(|line| line.trim_start().split(':').next()).collect();
    let expected = "Limit Sort SpansetFilter SpansetBinary Spanset Filter Scan Spanset Filter Scan";
    assert_eq!(nodes.join(" "), expected, "{plan}");
    assert!(plan.starts_with("Limit: 20\n  Sort: Time(Backward)\n"));
    assert!(plan.contains("Scan: traces {} [0, 1000)"));
}

#[test]
fn an_empty_text_selects_everything() {
    assert_eq!(plan_of(""), plan_of("{}"));
    assert_eq!(plan_of(" \n"), plan_of("{}"));
    assert!(!plan_of("").contains("Filter"));
}

#[test]
fn nil_and_negated_patterns_are_spelled_out() {
    let same = [
        ("{ .a != nil }", "{ nil != .a }"),
        ("{ 3 < .a }", "{ .a > 3 }"),
        ("{ .a = 1 + 2 * 3 }", "{ .a = 7 }"),
        ("{ .a = -(2) }", "{ .a = -2 }"),
        (r#"{ trace:id = "A1" }"#, r#"{ trace:id = "000000000000000000000000000000a1" }"#),
        ("{ span:duration > 1m }", "{ duration > 60s }"),
        ("{ .a } | coalesce()", "{ .a }"),
        ("{ .a } | rate() by (.b)", "{ .a }"),
        ("{ .a } with (most_recent=true)", "{ .a }"),
    ];
    for (left, right) in same {
        assert_eq!(plan_of(left), plan_of(right), "{left}");
    }
    assert!(plan_of(r#"{ .a !~ "x" }"#).contains("And([Matches"));
    assert!(plan_of("{ .a = nil }").contains("Not(Exists("));
}

#[test]
fn what_cannot_be_answered_is_named() {
    for (text, message) in [
        ("{} | by(name)", "by() is not yet supported"),
        ("{ parent.a = 1 }", "parent is not yet supported"),
    ] {
        assert_eq!(plan_of(text), format!("Unsupported: {message}"));
    }
    assert_eq!(kind_of("{ .a } > { .b } | { .c }"), Err(ErrorKind::Unsupported));
    assert_eq!(kind_of("{ 1 / 0 = 1 }"), Err(ErrorKind::Invalid));
}

#[test]
fn errors_say_where() {
    let error = search("{ .a = 1 &&\n  foo = 2 }", &PARAMS).unwrap_err();
    assert_eq!(error.span(), 14..17);
    let message = error.to_string();
    assert!(message.starts_with("parse error at line 2, col 3: unexpected identifier `foo`"));
}

#[test]
fn hostile_texts_hit_limits() {
    let cases = [
        format!("{{ {}.a{} }}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{ {}.a }}", "!".repeat(50_000)),
        format!("{{ {}1 = 1 }}", "-".repeat(50_000)),
        format!("{}{{}}{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{ 1{} = 1 }}", " + 1".repeat(5_000)),
        format!("{{ .a{} }}", " && .b || .c".repeat(5_000)),
        format!("{{}}{}", " > {}".repeat(5_000)),
        format!("{{ .a = \"{}\" }}", "x".repeat(1 << 20)),
        format!("{{ 1 = 1{} }}", "^1".repeat(5_000)),
    ];
    for text in cases {
        assert_eq!(kind_of(&text), Err(ErrorKind::Limit), "{}", &text[..20]);
    }
    // Long lists of alternatives are what tools write, and no deeper than short ones.
    let long = format!("{{ .a = 0{} }}", " || .a = 1".repeat(5_000));
    assert_eq!(kind_of(&long), Ok(()));
    let deep = format!("{{ 1{} = 1 }}", " + .a".repeat(240));
    assert_eq!(kind_of(&deep), Ok(()));
}

fn values_of(tag: &str) -> DistinctOf {
    match tag_values(tag, None, PARAMS.range).expect("a tag").root {
        Node::Distinct(distinct) => distinct.of,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tags_are_read_in_every_spelling() {
    use plan::expr::Intrinsic;
    use schemas::model::{Attribute, Scope};
    let attribute =
        |scope, key: &str| DistinctOf::AttributeValues(Attribute { scope, key: key.to_owned() });
    assert_eq!(values_of("resource.a.b"), attribute(Some(Scope::Resource), "a.b"));
    assert_eq!(values_of(".a"), attribute(None, "a"));
    assert_eq!(values_of("service.name"), attribute(None, "service.name"));
    assert_eq!(values_of("span:status"), DistinctOf::IntrinsicValues(Intrinsic::Status));
    assert_eq!(values_of("name"), DistinctOf::IntrinsicValues(Intrinsic::Name));
    assert!(tag_values("", None, PARAMS.range).is_err());
}

#[test]
fn filters_of_tag_values_are_read_leniently() {
    let plan = |filter: &str| {
        explain(&tag_values("name", Some(filter), PARAMS.range).expect("a tag").root)
    };
    let whole = plan(r#"{ resource.a = "x" && span.b > 2 }"#);
    assert_eq!(plan(r#"{ resource.a = "x" && span.b > 2 && .c = 1 && span.d = }"#), whole);
    assert_eq!(plan(r#"{ resource.a = "x" && span.b > 2 && "#), whole);
    let unfiltered = plan("");
    for filter in ["{", "{}", "{ .a = 1 }", "{ span.a = 1 || ", "{ span.a = 1 } && { span.b = 2 }"]
    {
        assert_eq!(plan(filter), unfiltered, "{filter}");
    }
}

#[test]
fn a_search_by_tags_takes_durations_of_the_trace() {
    let tags = [("http.status_code".to_owned(), "200".to_owned())];
    let plan = explain(&search_tags(&tags, Some(5), None, &PARAMS).root);
    assert!(plan.contains("TraceDuration") && plan.contains("Int(200)"), "{plan}");
    let everything = explain(&search_tags(&[], None, None, &PARAMS).root);
    assert_eq!(everything, plan_of("{}"));
}
