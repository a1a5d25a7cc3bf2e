//! Shapes of plans: the order of segments serves, so nothing is sorted and nothing dealt out anew.

use crate::ask::seconds;
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Operators that have no place above the segments of metrics.
const NEVER: [&str; 6] = [
    "SortExec",
    "SortPreservingMergeExec",
    "RepartitionExec",
    "CoalescePartitionsExec",
    "CoalesceBatchesExec",
    "HashJoinExec",
];

/// Each has one leaf or several over the same metric.
const QUERIES: [&str; 5] = [
    "http_requests_total",
    "rate(http_requests_total[5m])",
    "sum by (method) (rate(http_requests_total[5m]))",
    "topk(3, max_over_time(rate(http_requests_total[5m])[10m:1m]))",
    "http_requests_total / on (method) group_left http_requests_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn metric_plans_neither_sort_nor_repartition() {
    let mut program = Program::start(&["storage.compaction.enabled=false", "api.admin=true"]).await;
    let end_ns = now_ns() / SECOND_NS * SECOND_NS;
    for part in [2_u64, 1] {
        let points = (0..20_u32).map(|step| {
            let time_ns = end_ns - (part * 300 - u64::from(step) * 15) * SECOND_NS;
            let labels = vec![telemetry::text("method", "GET")];
            telemetry::point(time_ns, f64::from(step), labels)
        });
        let metric = telemetry::counter("http.requests", points.collect());
        program.send("metrics", &telemetry::metrics("checkout", vec![metric])).await;
        // What was taken in is flushed at the end: a segment each time.
        assert!(program.stop().await.success(), "{}", program.log());
        program.start_again().await;
    }
    for query in QUERIES {
        let plan = explain(&program, query, end_ns).await;
        assert!(plan.contains("SeriesWindowExec"), "{query}: {plan}");
        assert!(plan.contains("2 segments decoded in place"), "{query}: {plan}");
        for name in NEVER.into_iter().chain(["DataSourceExec"]) {
            assert!(!plan.contains(name), "{query} has a {name}: {plan}");
        }
    }
    let found = program.promql("rate(http_requests_total[11m])", end_ns).await;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");

    // Segments with hidden rows are read by another reader, a partition for each, in order.
    let hidden = [
        ("match[]", "http_requests_total".to_owned()),
        ("start", seconds(end_ns - 420 * SECOND_NS)),
        ("end", seconds(end_ns - 120 * SECOND_NS)),
    ];
    let delete = program.url("/prometheus/api/v1/admin/tsdb/delete_series");
    let answer = program.http.post(delete).query(&hidden).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    for query in QUERIES {
        let plan = explain(&program, query, end_ns).await;
        assert!(plan.contains("MaskExec"), "{query}: {plan}");
        assert!(plan.contains("file_groups={2 groups"), "a partition for each segment: {plan}");
        for name in NEVER {
            assert!(!plan.contains(name), "{query} has a {name}: {plan}");
        }
    }
}

async fn explain(program: &Program, query: &str, end_ns: u64) -> String {
    let (start, end) = (seconds(end_ns - 300 * SECOND_NS), seconds(end_ns));
    let params = [
        ("language", "promql"),
        ("query", query),
        ("start", start.as_str()),
        ("end", end.as_str()),
        ("step", "15"),
    ];
    let answer = program.http.get(program.url("/explain")).query(&params).send().await.unwrap();
    assert!(answer.status().is_success(), "{query}: {}", answer.text().await.unwrap());
    answer.text().await.unwrap()
}
