//! Parameters to plans.

use plan::explain;

use super::query;
use crate::params::Params;

fn plan_of(encoded: &str) -> Result<String, String> {
    let params = Params::parse(&[encoded.as_bytes()]).unwrap();
    query(&params).map(|query| explain(&query.root)).map_err(|error| error.to_string())
}

#[test]
fn each_language_has_a_plan() {
    let promql = plan_of("language=promql&query=sum(rate(a[5m]))&start=0&end=600&step=60").unwrap();
    let nodes: Vec<&str> =
        promql.lines().filter_map(|line| line.trim().split(':').next()).collect();
    assert_eq!(nodes, ["Aggregate", "Window", "Scan"]);
    let logql = plan_of("language=logql&query={a=%22b%22}|=%22x%22").unwrap();
    assert!(logql.contains("Filter: Contains") && logql.contains("Scan: logs"), "{logql}");
    let traceql = plan_of("language=traceql&query={status=error}").unwrap();
    assert!(traceql.contains("Spanset") && traceql.contains("Scan: traces"), "{traceql}");
}

#[test]
fn what_is_wrong_is_said() {
    for (encoded, expected) in [
        ("language=promql", "there is no query"),
        ("query=1&language=sql", "language \"sql\" is none of promql, logql, traceql"),
        ("query=1&language=promql&step=0", "step \"0\" is no positive duration"),
        ("query=1&language=promql&start=x", "start \"x\" is no time"),
    ] {
        let error = plan_of(encoded).unwrap_err();
        assert!(error.starts_with(expected), "{encoded}: {error}");
    }
}
