//! Delta temporality: what came as increases answers as counters do, with nothing in between.

use serde_json::{Value, json};

use crate::program::Program;
use crate::telemetry::{SECOND_NS, now_ns};

const DELTA: i32 = 1;

/// A point's own fields at its time and start time.
fn point(end_ns: u64, fields: Value) -> Value {
    let mut point = json!({
        "timeUnixNano": end_ns.to_string(),
        "startTimeUnixNano": (end_ns - 15 * SECOND_NS).to_string(),
    });
    point.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    point
}

/// Ten points of each kind, 15 s apart: 30 requests each, and 3 to 12 in the sum alone.
fn request(first_ns: u64) -> Value {
    let time = |at: u64| first_ns + at * 15 * SECOND_NS;
    let sums: Vec<Value> =
        (0..10).map(|at| point(time(at), json!({"asDouble": 12.0 - at as f64}))).collect();
    let classic: Vec<Value> = (0..10)
        .map(|at| {
            point(time(at), json!({
                "count": "30", "sum": 60.0, "bucketCounts": ["10", "20"], "explicitBounds": [1.0],
            }))
        })
        .collect();
    let native: Vec<Value> = (0..10)
        .map(|at| {
            point(
                time(at),
                json!({
                    "count": "30", "sum": 60.0, "scale": 0, "zeroCount": "0",
                    "positive": {"offset": 0, "bucketCounts": ["30"]},
                }),
            )
        })
        .collect();
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "jobs", "sum":
            {"aggregationTemporality": DELTA, "isMonotonic": true, "dataPoints": sums}},
        {"name": "spent", "histogram": {"aggregationTemporality": DELTA, "dataPoints": classic}},
        {"name": "size", "exponentialHistogram":
            {"aggregationTemporality": DELTA, "dataPoints": native}},
    ]}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn series_of_increases_answer_rates() {
    // The same with start times read: they change nothing.
    for settings in [&[][..], &["promql.start_times=true"]] {
        let program = Program::start(settings).await;
        let last_ns = now_ns() / (15 * SECOND_NS) * 15 * SECOND_NS;
        let body = request(last_ns - 9 * 15 * SECOND_NS).to_string().into_bytes();
        let headers = [("content-type", "application/json")];
        assert_eq!(program.post_otlp("metrics", body, &headers).await.status(), 200);
        // The window of a minute holds the last four points: 6 + 5 + 4 + 3 jobs.
        let cases = [
            ("increase(jobs_total[1m])", 18.0),
            ("rate(jobs_total[1m])", 0.3),
            ("sum_over_time(jobs_total[1m])", 18.0),
            ("increase(jobs_total[1m] anchored)", 18.0),
            ("irate(jobs_total[1m])", 0.2),
            ("increase(jobs_total[1m] offset 1m)", 34.0),
            ("increase(spent_count[1m])", 120.0),
            ("rate(spent_sum[1m])", 4.0),
            ("increase(spent_bucket{le=\"+Inf\"}[1m])", 120.0),
            ("histogram_quantile(0.5, rate(spent_bucket[1m]))", 1.0),
            ("histogram_count(increase(size[1m]))", 120.0),
            ("histogram_count(rate(size[1m]))", 2.0),
            ("histogram_sum(sum_over_time(size[1m]))", 240.0),
            ("histogram_count(irate(size[1m]))", 2.0),
        ];
        for (query, expected) in cases {
            let answer = program.promql(query, last_ns).await;
            let value =
                answer[0]["value"][1].as_str().unwrap_or_else(|| panic!("{query}: {answer}"));
            let value: f64 = value.parse().unwrap();
            assert!((value - expected).abs() < 1e-9, "{query}: {value}, not {expected}");
        }
    }
}
