//! The crate from outside: Prometheus' own expressions, errors, hostile texts.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use schemas::model::{MatchOp, Matcher, StepGrid};

use super::*;

const SECOND: i64 = NANOS_PER_SECOND;

fn error(text: &str) -> Error {
    let grid = StepGrid::new(0, 600 * SECOND, 60 * SECOND);
    query(text, grid, &Options::default()).expect_err(text)
}

/// A line on standard error for whoever runs the tests with `--nocapture`.
fn note(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// Prometheus' test suite, which is not part of the repository.
fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/promql")
}

/// The grid and the expression of an `eval` line; times stand for themselves only.
fn evaluation(line: &str) -> Option<(StepGrid, String)> {
    let line = line.trim();
    let rest = line.strip_prefix("eval")?;
    let (_, rest) = rest.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("instant") {
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix("at ") {
            Some(rest) => rest.trim_start().split_once(char::is_whitespace)?.1,
            None => rest,
        };
        return Some((StepGrid::instant(3000 * SECOND), rest.trim().to_owned()));
    }
    let words = rest.strip_prefix("range from ")?;
    let (_, words) = words.split_once(" step ")?;
    let (_, expr) = words.trim_start().split_once(char::is_whitespace)?;
    Some((StepGrid::new(0, 600 * SECOND, 60 * SECOND), expr.trim().to_owned()))
}

/// Every expression of the suite parses, and reads the same once written again.
#[test]
fn prometheus_suite() {
    let Ok(files) = fs::read_dir(conformance()) else {
        note(&format!("skipped: {} is absent", conformance().display()));
        return;
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let (mut evaluations, mut lowered) = (0, 0);
    let mut failures = Vec::new();
    let mut refused: Vec<(String, usize)> = Vec::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "test")) {
        for line in fs::read_to_string(path).unwrap().lines() {
            let Some((grid, text)) = evaluation(line) else {
                assert!(!line.trim().starts_with("eval"), "unread: {line}");
                continue;
            };
            evaluations += 1;
            match format(&text) {
                Ok(again) if format(&again).as_ref() == Ok(&again) => {}
                other => failures.push(format!("{}: {text}: {other:?}", path.display())),
            }
            match query(&text, grid, &Options::default()) {
                Ok(_) => lowered += 1,
                Err(error) => {
                    let reason = error.to_string();
                    match refused.iter_mut().find(|(known, _)| *known == reason) {
                        Some((_, count)) => *count += 1,
                        None => refused.push((reason, 1)),
                    }
                }
            }
        }
    }
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parsed = evaluations - failures.len();
    note(&format!("{evaluations} expressions, {parsed} parse, {lowered} lower"));
    for (reason, count) in refused {
        note(&format!("{count:5} {reason}"));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Our own cases ask for nothing that is not there yet.
#[test]
fn own_suite() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/promql");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some((grid, text)) = evaluation(line) {
                let answer = query(&text, grid, &Options::default());
                assert!(answer.is_ok(), "{}: {text}: {answer:?}", path.display());
            }
        }
    }
}

/// Texts that are refused, each with the message that Prometheus gives.
const REFUSED: &[(&str, &str)] = &[
    ("", "1:1: parse error: no expression found in input"),
    ("# just a comment", "1:1: parse error: no expression found in input"),
    ("1+", "1:3: parse error: unexpected end of input"),
    (".", "1:1: parse error: unexpected character: '.'"),
    ("2.5.", "1:1: parse error: bad number or duration syntax: \"2.5.\""),
    ("0deadbeef", "1:1: parse error: bad number or duration syntax: \"0de\""),
    ("1 /", "1:4: parse error: unexpected end of input"),
    ("*1", "1:1: parse error: unexpected <op:*>"),
    ("(1))", "1:4: parse error: unexpected right parenthesis ')'"),
    ("((1)", "1:5: parse error: unclosed left parenthesis"),
    ("(", "1:2: parse error: unclosed left parenthesis"),
    ("1 and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
    ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
    ("1 + bool 1", "1:3: parse error: bool modifier can only be used on comparison operators"),
    ("foo and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
    (
        "foo and on(bar) group_left(baz) bar",
        "1:1: parse error: no grouping allowed for \"and\" operation",
    ),
    (
        "http_requests{} + on(a) group_left(a) bar",
        "1:17: parse error: label \"a\" must not occur in ON and GROUP clause at once",
    ),
    ("foo + on(bar) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
    (
        "foo or fill(0) bar",
        "1:1: parse error: filling in missing series not allowed for set operators",
    ),
    (
        "1 + fill(0) bar",
        "1:1: parse error: filling in missing series only allowed between instant vectors",
    ),
    ("1 offset 1d", OFFSET_ERROR),
    ("rate(foo[5m]) offset 5m", OFFSET_ERROR),
    ("foo offset 1s offset 2s", "1:1: parse error: offset may not be set multiple times"),
    ("foo @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
    ("foo @ Inf", "1:7: parse error: timestamp out of bounds for @ modifier: Inf"),
    (
        "foo offset",
        "1:11: parse error: unexpected end of input in offset, expected number, \
                    duration, step(), or range()",
    ),
    ("foo[5m] offset 1h30", "1:16: parse error: bad number or duration syntax: \"1h3\""),
    ("foo[0m]", "1:5: parse error: duration must be greater than 0"),
    ("foo[-5m]", "1:5: parse error: duration must be greater than 0"),
    ("foo[1e30]", "1:5: parse error: duration out of range"),
    ("foo offset 1e30", "1:12: parse error: duration out of range"),
    ("foo[300000000000000000000y]", "1:5: parse error: duration out of range"),
    ("foo[5m5m]", "1:5: parse error: not a valid duration string: \"5m5m\""),
    ("foo[5mm]", "1:5: parse error: bad number or duration syntax: \"5mm\""),
    ("foo[", "1:5: parse error: unclosed left bracket"),
    (
        "foo[]",
        "1:5: parse error: unexpected \"]\" in subquery or range selector, expected \
              number, duration, step(), or range()",
    ),
    ("foo[5m:", "1:8: parse error: unclosed left bracket"),
    ("foo[5m:1m:1m]", "1:10: parse error: unexpected colon ':'"),
    ("foo[[5m]]", "1:5: parse error: unexpected left bracket '['"),
    ("(foo + bar)[5m]", "1:12: parse error: ranges only allowed for vector selectors"),
    ("foo offset 5m [1m]", "1:15: parse error: no offset modifiers allowed before range"),
    ("foo @ 5 [1m]", "1:9: parse error: no @ modifiers allowed before range"),
    (
        "some_metric[5m][1m:]",
        "1:1: parse error: subquery is only allowed on instant vector, \
                              got matrix instead",
    ),
    ("foo{", "1:5: parse error: unexpected end of input inside braces"),
    ("foo}", "1:4: parse error: unexpected right brace '}'"),
    ("{}", EMPTY_ERROR),
    ("{x=\"\"}", EMPTY_ERROR),
    ("{x=~\".*\"}", EMPTY_ERROR),
    ("{x!~\".+\"}", EMPTY_ERROR),
    ("{x!=\"a\"}", EMPTY_ERROR),
    (
        "foo{__name__=\"bar\"}",
        "1:1: parse error: metric name must not be set twice: \"foo\" or \
                              \"bar\"",
    ),
    (
        "{\"foo\", \"bar\"}",
        "1:9: parse error: metric name must not be set twice: \"foo\" or \
                            \"bar\"",
    ),
    (
        "foo{gibberish}",
        "1:14: parse error: unexpected \"}\" in label matching, expected label \
                        matching operator",
    ),
    ("foo{1}", "1:5: parse error: unexpected character inside braces: '1'"),
    ("foo{a=5}", "1:7: parse error: unexpected character inside braces: '5'"),
    (
        "foo{a=b}",
        "1:7: parse error: unexpected identifier \"b\" in label matching, expected \
                  string",
    ),
    (
        "foo{a=\"b\" or c=\"d\"}",
        "1:11: parse error: unexpected <op:or> in label matching, \
                                expected \",\" or \"}\"",
    ),
    (
        "sum by (a b) (foo)",
        "1:11: parse error: unexpected identifier \"b\" in grouping opts, \
                            expected \",\" or \")\"",
    ),
    ("sum by (a:b) (foo)", "1:9: parse error: invalid label name for grouping: \"a:b\""),
    ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
    (
        "topk(foo)",
        "1:1: parse error: wrong number of arguments for aggregate expression \
                   provided, expected 2, got 1",
    ),
    (
        "sum(1)",
        "1:5: parse error: expected type instant vector in aggregation expression, got \
                scalar",
    ),
    (
        "topk(foo, foo)",
        "1:6: parse error: expected type scalar in aggregation parameter, got \
                        instant vector",
    ),
    (
        "count_values(5, foo)",
        "1:14: parse error: expected type string in aggregation \
                              parameter, got scalar",
    ),
    (
        "rate(foo)",
        "1:6: parse error: expected type range vector in call to function \"rate\", \
                   got instant vector",
    ),
    ("floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"),
    (
        "hour(some_metric, some_metric)",
        "1:1: parse error: expected at most 1 argument(s) in \
                                        call to \"hour\", got 2",
    ),
    (
        "label_join(foo)",
        "1:1: parse error: expected at least 3 argument(s) in call to \
                         \"label_join\", got 1",
    ),
    (
        "non_existent_function(foo)",
        "1:1: parse error: unknown function with name \
                                    \"non_existent_function\"",
    ),
    ("abs(foo,)", "1:8: parse error: trailing commas not allowed in function call args"),
    (
        "-\"string\"",
        "1:1: parse error: unary expression only allowed on expressions of type \
                     scalar or instant vector, got \"string\"",
    ),
    (
        "foo[5m] + 1",
        "1:1: parse error: binary expression must contain only scalar and instant \
                     vector types",
    ),
    (
        "info(foo, bar)",
        "1:11: parse error: expected label selectors only, got vector selector \
                        instead",
    ),
    ("\"a", "1:1: parse error: unterminated quoted string"),
    ("`a", "1:1: parse error: unterminated raw string"),
    ("foo bar", "1:5: parse error: unexpected identifier \"bar\""),
    ("foo\n bar", "2:2: parse error: unexpected identifier \"bar\""),
    (
        "foo[5m:1m] anchored",
        "1:1: parse error: anchored modifier is not supported for \
                             subqueries",
    ),
    (
        "foo[5m] anchored smoothed",
        "1:1: parse error: anchored and smoothed modifiers cannot be \
                                   used together",
    ),
    ("1e400", "1:1: parse error: error parsing number: value out of range in \"1e400\""),
    ("a ! b", "1:3: parse error: unexpected character after '!': ' '"),
    ("a =~ b", "1:3: parse error: unexpected <op:=~>"),
    (
        "\"x\"",
        "invalid expression type \"string\" for range query, must be Scalar or instant \
               Vector",
    ),
    (
        "foo[5m]",
        "invalid expression type \"range vector\" for range query, must be Scalar or \
                 instant Vector",
    ),
    (
        "label_replace(a, \"b\", \"\", \"c\", \"(\")",
        "invalid regular expression in \
                                                      label_replace(): (",
    ),
    (
        "deriv(foo[3m] anchored)",
        "anchored modifier can only be used with: changes, delta, \
                                 increase, rate, resets - not with deriv",
    ),
    ("count_values(\"a\\xc5z\", foo)", "invalid label name \"a\\xc5z\""),
];

const OFFSET_ERROR: &str = "1:1: parse error: offset modifier must be preceded by an instant \
                            vector selector or range vector selector or a subquery";
const EMPTY_ERROR: &str =
    "1:1: parse error: vector selector must contain at least one non-empty matcher";

#[test]
fn refused() {
    let mut wrong = Vec::new();
    for (text, message) in REFUSED {
        let given = error(text).to_string();
        if given != *message {
            wrong.push(format!("{text}\n  expected {message}\n  given    {given}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn kinds_and_spans() {
    let parse = error("foo + bar baz");
    assert_eq!((parse.kind(), parse.span()), (ErrorKind::Parse, Some(10..13)));
    let invalid = error("sum(count_values(\"\", foo))");
    assert_eq!((invalid.kind(), invalid.span()), (ErrorKind::Invalid, Some(4..25)));
    let unsupported = error("1 + (a </ b)");
    assert_eq!((unsupported.kind(), unsupported.span()), (ErrorKind::Unsupported, Some(5..11)));
    assert_eq!(error("foo[1y:1ms]").kind(), ErrorKind::Invalid);
    assert_eq!(error("sum_over_time(foo[1y:1ms])").kind(), ErrorKind::Limit);
    assert_eq!(error(&"a".repeat(300_000)).kind(), ErrorKind::Limit);
}

/// Texts made to exhaust a stack, a memory or a patience. None may panic or take long.
#[test]
fn hostile() {
    let chain = |link: &str| format!("a{}", link.repeat(100_000 / link.len()));
    let texts = [
        "(".repeat(100_000),
        format!("{}1{}", "(".repeat(50_000), ")".repeat(50_000)),
        "-".repeat(100_000),
        format!("{}a", "-".repeat(100_000)),
        format!("{}a", "- + ".repeat(25_000)),
        chain("+a"),
        chain("^a"),
        chain(" or a"),
        chain("+on(a)a"),
        chain("[1m:]"),
        chain("+a[1m:]"),
        chain(" offset 1m"),
        chain("@1"),
        "abs(".repeat(25_000),
        "sum by (a) (".repeat(8_000),
        "sum(".repeat(25_000),
        "topk(1, a + ".repeat(8_000),
        "a[1m + (".repeat(10_000),
        format!("a[{}1m]", "(".repeat(90_000)),
        format!("a[{}1m]", "-".repeat(90_000)),
        format!("a[1m{}]", "+1m".repeat(30_000)),
        format!("a[1{}]", "^1".repeat(30_000)),
        format!("a offset {}1m", "(".repeat(90_000)),
        format!("a[{}]", "min_of(1,".repeat(10_000)),
        format!("\"{}", "a".repeat(100_000)),
        format!("\"{}", "\\".repeat(100_001)),
        "'\\".to_owned(),
        "\"\\x".to_owned(),
        "\"\\u12\"".to_owned(),
        "\"\\ud800\"".to_owned(),
        "\"\\UFFFFFFFF\"".to_owned(),
        "\"\\777\"".to_owned(),
        "\"\\é\"".to_owned(),
        "\"\\xé\"".to_owned(),
        "{a=\"\\xff\"}".to_owned(),
        "{a=~\"\\xff\"}".to_owned(),
        format!("{{a=~\"{}\"}}", "(".repeat(100_000)),
        format!("{{a=~\"{}\"}}", "(a{1000}){1000}".repeat(5)),
        "é".to_owned(),
        "a{é=\"b\"}".to_owned(),
        "\u{feff}a".to_owned(),
        "a\0".to_owned(),
        "9".repeat(100_000) + "y",
        "1_".repeat(50_000) + "x",
        "0x".to_owned(),
        "1e".to_owned(),
        "a @ 1e300".to_owned(),
        "a @ 9223372036854775807".to_owned(),
        "a @ 9223372036854".to_owned(),
        "a offset 290y offset 290y".to_owned(),
        "a offset -292y @ 9223372036".to_owned(),
        "a[292y] offset 292y @ -9223372036".to_owned(),
        "rate(a[292y] offset 292y)".to_owned(),
        "rate(a[1m / 0])".to_owned(),
        "rate(a[1m % 0])".to_owned(),
        "rate(a[0.0001])".to_owned(),
        "rate(a[2 ^ 1000])".to_owned(),
        "a offset (0/0)".to_owned(),
        "\"a\" + 1".to_owned(),
    ];
    for text in texts {
        let started = Instant::now();
        let shown: String = text.chars().take(40).collect();
        let message = error(&text).to_string();
        assert!(message.len() < 200_000, "{shown}");
        assert!(started.elapsed() < Duration::from_secs(2), "{shown}");
    }
}

/// Just below the limits a query is answered, on a stack of two megabytes.
#[test]
fn deep_but_allowed() {
    let depth = syntax::DEPTH_MAX - 4;
    let texts = [
        format!("a{}", " + a".repeat(syntax::HEIGHT_MAX - 4)),
        format!("1{}", "+1".repeat(syntax::HEIGHT_MAX - 4)),
        format!("a{}", " or a * 2".repeat(syntax::HEIGHT_MAX - 4)),
        format!("a{}", " ^ a".repeat(depth)),
        format!("{}a{}", "(".repeat(depth), ")".repeat(depth)),
        format!("{}a", "-".repeat(depth)),
        format!("{}a{}", "abs(".repeat(depth), ")".repeat(depth)),
        format!("{}a{}", "sum by (b) (".repeat(depth), ")".repeat(depth)),
        format!("{}a{}", "label_replace(".repeat(depth), ",'a','b','c','d')".repeat(depth)),
        format!("{}a{}", "rate(".repeat(depth / 2), "[1h:1m])".repeat(depth / 2)),
        format!("{}a{}", "1 * (".repeat(depth / 2), ")".repeat(depth / 2)),
    ];
    for text in texts {
        let run = move || {
            query(&text, StepGrid::instant(0), &Options::default()).unwrap();
            let again = format(&text).unwrap();
            assert_eq!(format(&again).unwrap(), again);
        };
        let builder = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        builder.spawn(run).unwrap().join().unwrap();
    }
}

#[test]
fn selectors() {
    let matchers = selector("up{job=~\"a.*\", x!=\"\"}").unwrap();
    let expected = [
        Matcher::new("__name__", MatchOp::Equal, "up"),
        Matcher::new("job", MatchOp::Regex, "a.*"),
        Matcher::new("x", MatchOp::NotEqual, ""),
    ];
    assert_eq!(matchers, expected);
    assert_eq!(selector("{\"a.b\", 'c d'='e'}").unwrap()[1].label, "c d");
    assert_eq!(selector("sum").unwrap()[0].value, "sum");
    for text in ["{}", "up offset 5m", "up[5m]", "1", "", "sum(up)", "{a=\"\"}", "up up"] {
        assert!(selector(text).is_err(), "{text}");
    }
}

#[test]
fn pinned_queries() {
    for (text, expected) in [
        ("a + b offset 1m", Some("a @ 60.000 + b @ 60.000 offset 1m")),
        ("a @ 5", Some("a @ 5.000")),
        ("rate(a[1m])", Some("rate(a[1m] @ 60.000)")),
        ("max_over_time(rate(a[1m])[5m:])", Some("max_over_time(rate(a[1m])[5m:] @ 60.000)")),
        ("1", Some("1")),
        ("time() + a", None),
        ("sum(predict_linear(a[1m], 1))", None),
    ] {
        assert_eq!(crate::pinned(text, 60_000).unwrap().as_deref(), expected, "{text}");
    }
}
