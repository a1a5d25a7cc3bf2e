//! Tests of the requests that queries become.

use super::*;

const NOW_NS: i64 = 1_769_860_800_250_000_000;

fn args(language: Language, query: &str) -> QueryArgs {
    QueryArgs {
        language,
        query: query.to_owned(),
        url: String::new(),
        tenant: None,
        start: None,
        end: "now".to_owned(),
        step: None,
        limit: 100,
        json: false,
    }
}

fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

#[test]
fn promql_without_a_start_is_instant() {
    let request = build(&args(Language::Promql, "up"), NOW_NS).unwrap();
    assert_eq!(request.path, "/prometheus/api/v1/query");
    assert_eq!(parameter(&request, "time"), Some("1769860800.250"));
}

#[test]
fn promql_with_a_start_is_a_range_of_sixty_points() {
    let args = QueryArgs { start: Some("-1h".to_owned()), ..args(Language::Promql, "up") };
    let request = build(&args, NOW_NS).unwrap();
    assert_eq!(request.path, "/prometheus/api/v1/query_range");
    assert_eq!(parameter(&request, "start"), Some("1769857200.250"));
    assert_eq!(parameter(&request, "step"), Some("60"));
}

#[test]
fn logql_looks_at_the_last_hour_in_nanoseconds() {
    let request = build(&args(Language::Logql, "{a=\"b\"}"), NOW_NS).unwrap();
    assert_eq!(parameter(&request, "end"), Some("1769860800250000000"));
    assert_eq!(parameter(&request, "start"), Some("1769857200250000000"));
}

#[test]
fn traceql_metrics_are_told_from_searches() {
    let path = |query| build(&args(Language::Traceql, query), NOW_NS).unwrap().path;
    assert_eq!(path("{ status = error }"), "/tempo/api/search");
    assert_eq!(path("{ } | rate() by (name)"), "/tempo/api/metrics/query_range");
    assert_eq!(path("{ name = \"| rated\" }"), "/tempo/api/search");
    assert_eq!(path("{ } | select(rate)"), "/tempo/api/search");
}

#[test]
fn a_start_after_the_end_and_no_step_are_refused() {
    let mut args = args(Language::Promql, "up");
    args.start = Some("now".to_owned());
    args.end = "-1h".to_owned();
    assert!(build(&args, NOW_NS).is_err());
    args.end = "now".to_owned();
    args.step = Some("0".to_owned());
    assert!(build(&args, NOW_NS).is_err());
}
