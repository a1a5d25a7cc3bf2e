//! Metadata of metrics.

use exec::MetricMetadata;

use super::metadata;

fn metric(name: &str, kind: &str) -> MetricMetadata {
    MetricMetadata {
        name: name.to_owned(),
        kind: kind.to_owned(),
        unit: String::new(),
        help: "Says \"hi\".".to_owned(),
    }
}

#[test]
fn metrics_are_listed_by_name() {
    let metrics = [metric("a", "gauge"), metric("a", "counter"), metric("b", "gauge")];
    let a = r#"{"type":"gauge","help":"Says \"hi\".","unit":""}"#;
    let counter = r#"{"type":"counter","help":"Says \"hi\".","unit":""}"#;
    assert_eq!(metadata(&metrics, 9, 9), format!(r#"{{"a":[{a},{counter}],"b":[{a}]}}"#));
    assert_eq!(metadata(&metrics, 1, 1), format!(r#"{{"a":[{a}]}}"#));
    assert_eq!(metadata(&[], 1, 1), "{}");
}
