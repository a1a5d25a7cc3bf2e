//! Queries and their plans, errors, and how much of the shared corpus is understood.

use std::fs;
use std::path::Path;

use schemas::model::{Direction, StepGrid, TimeRange};

use crate::{ErrorKind, Params, format, is_log_query, query, selector};

const MINUTE_NS: i64 = 60_000_000_000;

fn params() -> Params {
    Params {
        range: TimeRange { start_ns: 10 * MINUTE_NS, end_ns: 20 * MINUTE_NS },
        grid: StepGrid::new(10 * MINUTE_NS, 20 * MINUTE_NS, MINUTE_NS),
        limit: 100,
        direction: Direction::Backward,
    }
}

#[track_caller]
fn explained(text: &str) -> String {
    match query(text, &params()) {
        Ok(query) => plan::explain(&query.root),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn a_log_query_is_a_pipeline_under_sort_and_limit() {
    let text = r#"{app="x"} |= "err" | json | line_format "{{.msg}}""#;
    let plan = explained(text);
    let lines: Vec<&str> = plan.lines().map(str::trim).collect();
    assert_eq!(lines[0], "Limit: 100");
    assert_eq!(lines[1], "Sort: Time(Backward)");
    assert!(lines[2].starts_with("Format: Line("));
    assert_eq!(lines[3], "Extract: Json([])");
    assert!(lines[4].starts_with("Filter: Contains"));
    assert_eq!(lines[5], r#"Scan: logs {app="x"} [600000000000, 1200000000000)"#);
    assert!(query(text, &params()).expect("it has a plan").grid.is_none());
}

#[test]
fn windows_are_open_on_the_left() {
    let plan = explained(r#"sum by (a) (count_over_time({app="x"} | json [5m] offset 1m))"#);
    // The first window is (10m - 1m - 5m, …], the last one ends at 20m - 1m.
    assert!(plan.ends_with("Scan: logs {app=\"x\"} [240000000001, 1140000000001)\n"), "{plan}");
    let log = is_log_query(r#"{a="b"} | json"#).expect("parses");
    assert!(log && !is_log_query("vector(1)").expect("parses"));
}

#[test]
fn a_sum_tells_the_window_what_it_groups_by() {
    let grouping = |text: &str| {
        let query = query(text, &params()).expect("it has a plan");
        let inputs = query.root.inputs();
        match inputs.first() {
            Some(plan::Node::Window(window)) => format!("{:?}", window.grouping),
            other => panic!("{text}: {other:?}"),
        }
    };
    let count = r#"(count_over_time({app="x"} | json [5m]))"#;
    assert_eq!(grouping(&format!("sum by (a) {count}")), r#"Some(By(["a"]))"#);
    assert_eq!(grouping(&format!("sum {count}")), "Some(By([]))");
    assert_eq!(grouping(&format!("max by (a) {count}")), "None");
    let max = r#"sum by (a) (max_over_time({app="x"} | unwrap y [5m]) by (b))"#;
    assert_eq!(grouping(max), r#"Some(By(["b"]))"#);
}

#[test]
fn literals_fold() {
    assert_eq!(explained("1 + 2 * 3"), "Number: 7\n");
    assert_eq!(explained("-2 ^ 2"), "Number: 4\n");
    assert_eq!(explained("1 > 2"), "Number: 0\n");
    assert_eq!(explained("1 / 0"), "Number: NaN\n");
    assert!(explained("vector(1)+vector(1)").starts_with("Binary: Arithmetic(Add)"));
}

#[test]
fn refused_queries() {
    let cases = [
        (r#"{}"#, ErrorKind::Invalid, "at least one regexp or equality matcher"),
        (r#"{app=~".*"}"#, ErrorKind::Invalid, "at least one regexp or equality matcher"),
        (r#"{app=~"("}"#, ErrorKind::Invalid, "invalid pattern"),
        (r#"{app="x"} |~ "(""#, ErrorKind::Invalid, "invalid pattern"),
        (r#"{app="x"} |~ ip("1.1.1.1")"#, ErrorKind::Invalid, "ip: invalid operation"),
        (r#"{app="x"} |= ip("1.1.1")"#, ErrorKind::Invalid, "ip: invalid pattern"),
        (r#"{app="x"} | regexp "a""#, ErrorKind::Invalid, "at least one named capture"),
        (r#"{app="x"} | regexp "(?P<x>.)(?P<x>.)""#, ErrorKind::Invalid, "duplicate extracted"),
        (r#"{app="x"} | pattern "a""#, ErrorKind::Invalid, "invalid pattern parser"),
        (r#"{app="x"} | pattern "<a><b>""#, ErrorKind::Invalid, "consecutive"),
        (r#"{app="x"} |> "<a> b""#, ErrorKind::Invalid, "named captures are not allowed"),
        (r#"{app="x"} | json a="b["#, ErrorKind::Parse, "not terminated"),
        (r#"{app="x"} | json a="b[x]""#, ErrorKind::Invalid, "cannot parse expression"),
        (r#"{app="x"} | label_format a=b, a=c"#, ErrorKind::Invalid, "multiple label name"),
        (r#"{app="x"} | label_format __error__=b"#, ErrorKind::Invalid, "cannot be formatted"),
        (r#"{app="x"} | line_format "{{.a""#, ErrorKind::Invalid, "unclosed action"),
        (r#"{app="x"} | line_format "{{frob .a}}""#, ErrorKind::Invalid, "\"frob\" not defined"),
        (r#"{app="x"} | line_format "{{.a | ToUpper}}""#, ErrorKind::Unsupported, "ToUpper"),
        (r#"sum_over_time({app="x"}[5m])"#, ErrorKind::Invalid, "without unwrap"),
        (r#"count_over_time({app="x"} | unwrap y [5m])"#, ErrorKind::Invalid, "with unwrap"),
        (r#"rate({app="x"}[5m]) by (a)"#, ErrorKind::Invalid, "grouping not allowed for rate"),
        (r#"rate(1, {app="x"}[5m])"#, ErrorKind::Invalid, "not supported for operation rate"),
        (r#"topk(0, rate({app="x"}[5m]))"#, ErrorKind::Invalid, "must be greater than 0"),
        (r#"topk(1.5, rate({app="x"}[5m]))"#, ErrorKind::Invalid, "invalid parameter topk"),
        (r#"topk(rate({app="x"}[5m]))"#, ErrorKind::Invalid, "parameter required"),
        (r#"sum(2, rate({app="x"}[5m]))"#, ErrorKind::Invalid, "unsupported parameter"),
        (r#"sort by (a) (rate({app="x"}[5m]))"#, ErrorKind::Invalid, "doesn't allow grouping"),
        (r#"1 or vector(1)"#, ErrorKind::Parse, "unexpected literal for left leg"),
        (r#"vector(1) and (1 + 1)"#, ErrorKind::Invalid, "unexpected literal"),
        (r#"{app="x"} + 1"#, ErrorKind::Parse, "unexpected type for leg"),
        (r#"{app="x"} | json | x == "a""#, ErrorKind::Parse, "syntax error"),
        (r#"{app="x"} | json > 1"#, ErrorKind::Parse, "unexpected type for leg"),
        ("{app=\"x\"}\n | what", ErrorKind::Parse, "parse error at line 2, col 8: "),
    ];
    for (text, kind, message) in cases {
        let error = query(text, &params()).expect_err(text);
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.span().is_some(), kind == ErrorKind::Parse, "{text}: {error}");
    }
}

#[test]
fn selectors_may_be_empty() {
    assert!(selector("").expect("parses").is_empty());
    assert!(selector(" {} ").expect("parses").is_empty());
    let matchers = selector(r#"{a="b", c=~"d"} |= "e" | json"#).expect("parses");
    assert_eq!(matchers.len(), 2);
    assert!(selector("rate({a=\"b\"}[5m])").is_err());
    assert!(selector(r#"{a=~"("}"#).is_err());
}

#[test]
fn the_shared_corpus_is_understood() {
    let Some((understood, missed)) = understood("../../../shared/conformance/logql") else {
        return;
    };
    eprintln!("{understood} queries of the corpus are understood, {} are not", missed.len());
    missed.iter().for_each(|miss| eprintln!("{miss}"));
    assert!(missed.len() * 100 <= understood, "{} queries are missed", missed.len());
}

#[test]
fn our_own_cases_are_understood() {
    let (understood, missed) = understood("../../tests/cases/logql").expect("the cases are ours");
    assert!(understood > 40 && missed.is_empty(), "{understood} understood, missed: {missed:#?}");
}

/// How many queries of a folder's files have a plan where they should, and what the others say;
/// nothing if there is no such folder.
fn understood(folder: &str) -> Option<(usize, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("skipped: there is no {}", folder.display());
        return None;
    };
    let (mut understood, mut missed) = (0, Vec::new());
    for file in files {
        let path = file.expect("the folder can be listed").path();
        let text = fs::read_to_string(&path).expect("the file can be read");
        for (at, query_text, instant, fails) in corpus_queries(&text) {
            let mut params = params();
            if instant {
                params.grid = StepGrid::instant(10 * MINUTE_NS);
            }
            match query(query_text, &params) {
                Ok(_) => {
                    understood += 1;
                    // The canonical text has the same canonical text.
                    let canonical = format(query_text).expect("it parsed before");
                    assert_eq!(format(&canonical).ok().as_ref(), Some(&canonical), "{query_text}");
                }
                Err(_) if fails => understood += 1,
                Err(error) => {
                    missed.push(format!("{}:{at}: {query_text}: {error}", path.display()));
                }
            }
        }
    }
    Some((understood, missed))
}

/// Line number, text, whether it is an instant query, and whether it must fail.
fn corpus_queries(text: &str) -> Vec<(usize, &str, bool, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut queries = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let fails = lines[i + 1..]
            .iter()
            .take_while(|next| next.starts_with(' '))
            .any(|next| next.trim_start().starts_with("expect fail"));
        let words = if line.starts_with("eval instant at ") {
            4
        } else if line.starts_with("eval range from ") {
            8
        } else {
            continue;
        };
        let query = line.splitn(words + 1, ' ').nth(words).unwrap_or_default();
        queries.push((i + 1, query, words == 4, fails));
    }
    queries
}
