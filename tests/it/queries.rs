//! The first queries of every language: answered from memory, and again, just so, from segments.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use serde_json::Value;

use crate::ask::{lines, seconds};
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// The trace of a request that failed.
const FAILED_TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

/// The trace of one that did not.
const GOOD_TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319d;

/// Ten minutes of a service, ending at a full minute.
#[derive(Clone, Copy, Debug)]
struct Story {
    start_ns: u64,
    end_ns: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn first_queries_are_answered_from_memory_and_from_segments() {
    let mut program = Program::start(&[]).await;
    let end_ns = now_ns() / (60 * SECOND_NS) * 60 * SECOND_NS;
    let story = Story { start_ns: end_ns - 600 * SECOND_NS, end_ns };
    send_metrics(&program, story).await;
    send_logs(&program, story).await;
    send_spans(&program, story).await;

    check_metrics(&program, story).await;
    check_logs(&program, story).await;
    check_traces(&program, story).await;
    check_sql(&program).await;
    let from_memory = answers(&program, story).await;

    assert!(program.stop().await.success(), "{}", program.log());
    assert!(segments(&program.data()) >= 3, "logs, samples and spans are in segments");
    program.start_again().await;
    let from_segments = answers(&program, story).await;
    for (memory, segment) in from_memory.iter().zip(&from_segments) {
        assert_eq!(memory, segment);
    }
    check_sql(&program).await;

    // The same question twice in a row must not depend on what the first one left behind.
    assert_eq!(answers(&program, story).await, from_segments);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_may_be_empty_and_compressed() {
    let mut program = Program::start(&[]).await;
    let queries = [
        ("/prometheus/api/v1/query", "query", "nothing_of_that_name"),
        ("/prometheus/api/v1/query", "query", "vector(1)"),
        ("/loki/loki/api/v1/query_range", "query", "{service_name=\"nobody\"}"),
        ("/tempo/api/search", "q", "{ status = error }"),
        ("/sql", "query", "SELECT * FROM logs"),
        ("/sql", "query", "SELECT 1 AS one"),
    ];
    for (path, name, query) in queries {
        let plain = program.get(path, &[(name, query)]).await;
        let request = program.http.get(program.url(path)).query(&[(name, query)]);
        let answer = request.header("accept-encoding", "gzip").send().await.unwrap();
        assert!(answer.status().is_success(), "{query}");
        let is_compressed = answer.headers().contains_key("content-encoding");
        let body = answer.bytes().await.unwrap_or_else(|error| panic!("{query}: {error}"));
        let unpacked = if is_compressed { gunzip(&body) } else { body.to_vec() };
        let unpacked: Value = serde_json::from_slice(&unpacked).unwrap();
        assert_eq!(unpacked["data"]["resultType"], plain["data"]["resultType"], "{query}");
    }
    assert!(program.lives(), "{}", program.log());
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain
}

async fn send_metrics(program: &Program, story: Story) {
    let times =
        || (story.start_ns..=story.end_ns).step_by(usize::try_from(15 * SECOND_NS).unwrap());
    let mut requests = Vec::new();
    let mut durations = Vec::new();
    for (step, time) in (0_u32..).zip(times()) {
        for (method, per_second) in [("GET", 2.0), ("POST", 1.0)] {
            let value = f64::from(step) * 15.0 * per_second;
            requests.push(telemetry::point(time, value, vec![telemetry::text("method", method)]));
        }
        let slow = u64::from(step) * 2;
        let fast = u64::from(step) * 8;
        durations.push(HistogramDataPoint {
            start_time_unix_nano: story.start_ns,
            time_unix_nano: time,
            count: fast + slow,
            sum: Some(f64::from(step)),
            explicit_bounds: vec![0.1, 0.5, 1.0],
            bucket_counts: vec![fast, slow, 0, 0],
            ..HistogramDataPoint::default()
        });
    }
    let metrics = vec![
        telemetry::counter("http.requests", requests),
        telemetry::histogram("request.duration", "s", durations),
        telemetry::gauge("queue.length", vec![telemetry::point(story.end_ns, 7.0, Vec::new())]),
    ];
    program.send("metrics", &telemetry::metrics("checkout", metrics)).await;
}

async fn send_logs(program: &Program, story: Story) {
    let mut records = Vec::new();
    for number in 0..10_u64 {
        let status = if number == 3 { 500 } else { 200 };
        let time = story.start_ns + (30 + 50 * number) * SECOND_NS;
        let body = format!("Request processed number={number} status={status} duration=12ms");
        let mut record = telemetry::log(time, &body);
        record.attributes = vec![telemetry::int("number", i64::try_from(number).unwrap())];
        if status == 500 {
            record.severity_number = 17;
            record.severity_text = "ERROR".to_owned();
            record.trace_id = FAILED_TRACE.to_be_bytes().to_vec();
            record.span_id = 2_u64.to_be_bytes().to_vec();
        }
        records.push(record);
    }
    program.send("logs", &telemetry::logs("checkout", records)).await;
}

async fn send_spans(program: &Program, story: Story) {
    let start = story.start_ns + 180 * SECOND_NS;
    let mut failing = telemetry::span(FAILED_TRACE, 2, 1, "SELECT orders", start + 1_000_000);
    failing.status = telemetry::failed("no such table");
    failing.attributes = vec![telemetry::text("db.system.name", "postgresql")];
    let spans = vec![
        telemetry::span(FAILED_TRACE, 1, 0, "POST /pay", start),
        failing,
        telemetry::span(GOOD_TRACE, 1, 0, "POST /pay", start + 60 * SECOND_NS),
        telemetry::span(GOOD_TRACE, 2, 1, "SELECT orders", start + 60 * SECOND_NS + 1_000_000),
    ];
    program.send("traces", &telemetry::spans("checkout", spans)).await;
}

async fn check_metrics(program: &Program, story: Story) {
    let rate = "sum by (service_name) (rate(http_requests_total[5m]))";
    let result = program.promql(rate, story.end_ns).await;
    assert_eq!(result[0]["metric"]["service_name"], "checkout", "{result}");
    assert_near(&result[0]["value"][1], 3.0);
    let quantile =
        "histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[5m])))";
    assert_near(&program.promql(quantile, story.end_ns).await[0]["value"][1], 0.3);
    let counters = program.promql("http_requests_total", story.end_ns).await;
    assert_eq!(counters.as_array().unwrap().len(), 2, "{counters}");
    assert_near(&program.promql("queue_length", story.end_ns).await[0]["value"][1], 7.0);
}

async fn check_logs(program: &Program, story: Story) {
    let Story { start_ns, end_ns } = story;
    let all = "{service_name=\"checkout\"} |= \"Request processed\"";
    assert_eq!(lines(&program.logql(all, start_ns, end_ns).await).len(), 10);
    let failed = "{service_name=\"checkout\"} | logfmt | status=\"500\"";
    let failed = lines(&program.logql(failed, start_ns, end_ns).await);
    assert_eq!(failed, ["Request processed number=3 status=500 duration=12ms"]);
    let count = "sum(count_over_time({service_name=\"checkout\"}[10m]))";
    let counts = program.logql(count, start_ns, end_ns).await;
    let last = counts[0]["values"].as_array().unwrap().last().unwrap().clone();
    assert_near(&last[1], 10.0);
}

async fn check_traces(program: &Program, story: Story) {
    let search = async |query: &str| {
        let traces = program.traceql(query, story.start_ns, story.end_ns).await;
        let traces = traces.as_array().unwrap().clone();
        traces.iter().map(|trace| id(&trace["traceID"])).collect::<Vec<_>>()
    };
    let failed = "{ resource.service.name = \"checkout\" && status = error }";
    assert_eq!(search(failed).await, [FAILED_TRACE]);
    assert_eq!(search("{ name = \"POST /pay\" } >> { status = error }").await, [FAILED_TRACE]);
    assert_eq!(search("{ duration > 10ms }").await, [GOOD_TRACE, FAILED_TRACE], "newest first");
    assert_eq!(spans_of(program, FAILED_TRACE).await, 2);
}

async fn check_sql(program: &Program) {
    let count = program.sql("SELECT count(*) AS n FROM logs").await;
    assert_eq!(count[0]["n"], 10, "{count:?}");
    let join = "SELECT l.body, s.name, s.status FROM logs l JOIN spans s \
                ON l.trace_id = s.trace_id AND l.span_id = s.span_id";
    let rows = program.sql(join).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["name"], "SELECT orders");
    assert_eq!(rows[0]["status"], "error");
}

/// Answers that must not depend on where the data lies.
async fn answers(program: &Program, story: Story) -> Vec<(&'static str, Value)> {
    let Story { start_ns, end_ns } = story;
    let mut answers = Vec::new();
    for query in [
        "http_requests_total",
        "sum by (service_name) (rate(http_requests_total[5m]))",
        "histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[5m])))",
        "topk(1, increase(http_requests_total[2m]))",
        "{__name__=~\"request_duration_seconds.*\"}",
        "max_over_time(http_requests_total{method=\"GET\"}[5m:30s]) / 2",
    ] {
        answers.push((query, program.promql(query, end_ns).await));
    }
    let (start, end) = (seconds(start_ns), seconds(end_ns));
    let params = [
        ("query", "rate(http_requests_total[1m])"),
        ("start", &start),
        ("end", &end),
        ("step", "15"),
    ];
    let mut range = program.get("/prometheus/api/v1/query_range", &params).await;
    answers.push(("a range", range["data"].take()));
    for path in [
        "/prometheus/api/v1/labels",
        "/prometheus/api/v1/label/__name__/values",
        "/prometheus/api/v1/metadata",
        "/loki/loki/api/v1/labels",
        "/loki/loki/api/v1/label/service_name/values",
    ] {
        answers.push((path, program.get(path, &[]).await["data"].take()));
    }
    for query in [
        "{service_name=\"checkout\"}",
        "{service_name=\"checkout\"} |~ \"status=5..\" | logfmt",
        "sum by (status) (count_over_time({service_name=\"checkout\"} | logfmt [5m]))",
    ] {
        answers.push((query, program.logql(query, start_ns, end_ns).await));
    }
    for query in [
        "{ status = error }",
        "{ resource.service.name = \"checkout\" } | select(span.db.system.name)",
        "{ .db.system.name = \"postgresql\" }",
    ] {
        answers.push((query, program.traceql(query, start_ns, end_ns).await));
    }
    answers
}

/// How many spans a trace has, asked by its id.
async fn spans_of(program: &Program, trace: u128) -> usize {
    let url = program.url(&format!("/tempo/api/traces/{trace:032x}"));
    let answer = program.http.get(url).header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap().matches("\"spanId\"").count()
}

/// A trace id in hex; leading zeros may be missing.
fn id(value: &Value) -> u128 {
    u128::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

/// The Parquet files in a folder.
fn segments(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += segments(&path);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            count += 1;
        }
    }
    count
}

/// A sample value, which the APIs write as text.
fn assert_near(value: &Value, expected: f64) {
    let found: f64 =
        value.as_str().unwrap_or_else(|| panic!("not a value: {value}")).parse().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
}
