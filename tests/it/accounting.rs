//! What comes in is counted: `received = stored + rejected + deduplicated`, whichever way it came
//! in and however often.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::json;
use tonic::transport::Channel;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

const SIGNALS: [&str; 3] = ["logs", "metrics", "traces"];

/// A row that is older is refused.
const DAY_NS: u64 = 86_400 * SECOND_NS;

/// The counters of a tenant and signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rows {
    received: u64,
    stored: u64,
    rejected: u64,
    deduplicated: u64,
}

impl Rows {
    fn plus(self, stored: u64, rejected: u64, deduplicated: u64) -> Self {
        Self {
            received: self.received + stored + rejected + deduplicated,
            stored: self.stored + stored,
            rejected: self.rejected + rejected,
            deduplicated: self.deduplicated + deduplicated,
        }
    }
}

async fn rows(program: &Program, tenant: &str, signal: &str) -> Rows {
    let text = program.http.get(program.url("/metrics")).send().await.unwrap();
    let text = text.text().await.unwrap();
    let of = |what: &str| -> u64 {
        let name = format!("siglake_ingest_rows_{what}_total");
        let series = format!("{name}{{tenant=\"{tenant}\",signal=\"{signal}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |value| value.parse().unwrap())
    };
    let rows = Rows {
        received: of("received"),
        stored: of("stored"),
        rejected: of("rejected"),
        deduplicated: of("deduplicated"),
    };
    assert_eq!(rows.received, rows.stored + rows.rejected + rows.deduplicated, "{signal}");
    rows
}

/// A request of three rows, and one more that is a month old if asked for.
fn request(signal: &str, time_ns: u64, with_old: bool) -> Vec<u8> {
    let times: Vec<u64> = (0..3).map(|at| time_ns + at * 1_000_000).collect();
    let old = with_old.then_some(time_ns - 30 * DAY_NS);
    let times = times.into_iter().chain(old);
    match signal {
        "logs" => logs(times).encode_to_vec(),
        "metrics" => metrics(times).encode_to_vec(),
        _ => spans(times).encode_to_vec(),
    }
}

fn logs(
    times: impl Iterator<Item = u64>,
) -> opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest {
    telemetry::logs("counted", times.map(|time| telemetry::log(time, "line")).collect())
}

fn metrics(
    times: impl Iterator<Item = u64>,
) -> opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest {
    let points = times.map(|time| telemetry::point(time, 1.5, Vec::new())).collect();
    telemetry::metrics("counted", vec![telemetry::gauge("counted_value", points)])
}

fn spans(
    times: impl Iterator<Item = u64>,
) -> opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
    let span = |time| telemetry::span(u128::from(time), time, 0, "counted", time);
    telemetry::spans("counted", times.map(span).collect())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn stored(program: &Program, signal: &str) -> u64 {
    let statement = match signal {
        "logs" => "SELECT count(*) AS n FROM logs",
        "metrics" => "SELECT count(*) AS n FROM metrics WHERE metric_name = 'counted_value'",
        _ => "SELECT count(*) AS n FROM spans",
    };
    program.sql(statement).await[0]["n"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_counted_once_whichever_way_it_comes() {
    let mut program = Program::start(&[]).await;
    let base_ns = now_ns() - 600 * SECOND_NS;
    let mut expected = [Rows::default(); 3];
    for (at, signal) in SIGNALS.into_iter().enumerate() {
        let plain = request(signal, base_ns, true);
        let bodies = [("identity", plain.clone()), ("gzip", gzip(&plain)), ("zstd", zstd(&plain))];
        for (encoding, body) in bodies {
            let headers = [("content-encoding", encoding)];
            let answer = program.post_otlp(signal, body, &headers).await;
            assert_eq!(answer.status(), 200, "{signal} {encoding}");
        }
        expected[at] = expected[at].plus(3, 1, 0).plus(0, 1, 3).plus(0, 1, 3);
        assert_eq!(rows(&program, "default", signal).await, expected[at], "{signal}");
    }
    // Over gRPC the same, and something new.
    let channel = Channel::from_shared(program.url("")).unwrap().connect().await.unwrap();
    let times = |of: u64| (0..3).map(move |at| of + at * 1_000_000);
    for (of, new) in [(base_ns, false), (base_ns + SECOND_NS, true)] {
        let old = (!new).then_some(of - 30 * DAY_NS);
        let times = || times(of).chain(old);
        LogsServiceClient::new(channel.clone()).export(logs(times())).await.unwrap();
        MetricsServiceClient::new(channel.clone()).export(metrics(times())).await.unwrap();
        TraceServiceClient::new(channel.clone()).export(spans(times())).await.unwrap();
        for expected in &mut expected {
            *expected = if new { expected.plus(3, 0, 0) } else { expected.plus(0, 1, 3) };
        }
    }
    for (at, signal) in SIGNALS.into_iter().enumerate() {
        assert_eq!(rows(&program, "default", signal).await, expected[at], "{signal}");
        assert_eq!(stored(&program, signal).await, 6, "{signal}");
    }
    // JSON: a record with its own time is recognised, one without has happened anew.
    for (time, twice) in [(Some(base_ns.to_string()), (1, 1)), (None, (2, 0))] {
        let record = json!({"timeUnixNano": time, "body": {"stringValue": "json"}});
        let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
        for _ in 0..2 {
            let body = serde_json::to_vec(&request).unwrap();
            let headers = [("content-type", "application/json")];
            assert_eq!(program.post_otlp("logs", body, &headers).await.status(), 200);
        }
        expected[0] = expected[0].plus(twice.0, 0, twice.1);
    }
    assert_eq!(rows(&program, "default", "logs").await, expected[0]);

    // A request is recognised after a crash, and after a flush and a restart.
    for is_graceful in [false, true] {
        if is_graceful {
            assert!(program.stop().await.success());
        } else {
            program.kill();
        }
        program.start_again().await;
        for (at, signal) in SIGNALS.into_iter().enumerate() {
            let answer = program.post_otlp(signal, request(signal, base_ns, true), &[]).await;
            assert_eq!(answer.status(), 200, "{signal}");
            assert_eq!(rows(&program, "default", signal).await, Rows::default().plus(0, 1, 3));
            assert_eq!(stored(&program, signal).await, if at == 0 { 9 } else { 6 }, "{signal}");
        }
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_counted_apart_and_share_no_requests() {
    let program = Program::start(&["multi_tenancy=true"]).await;
    let body = request("logs", now_ns(), false);
    for (tenant, times) in [("a", 3), ("b", 1)] {
        for _ in 0..times {
            let headers = [("x-scope-orgid", tenant)];
            assert_eq!(program.post_otlp("logs", body.clone(), &headers).await.status(), 200);
        }
    }
    assert_eq!(rows(&program, "a", "logs").await, Rows::default().plus(3, 0, 6));
    assert_eq!(rows(&program, "b", "logs").await, Rows::default().plus(3, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_are_stored_once() {
    let program = Program::start(&[]).await;
    for round in 0..5 {
        let body = request("traces", now_ns(), false);
        let calls = (0..16).map(|_| program.post_otlp("traces", body.clone(), &[]));
        for answer in futures::future::join_all(calls).await {
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.bytes().await.unwrap().len(), 0, "a full success");
        }
        assert_eq!(stored(&program, "traces").await, 3 * (round + 1));
    }
    let expected = Rows::default().plus(15, 0, 5 * 45);
    assert_eq!(rows(&program, "default", "traces").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recognised_if_that_is_switched_off() {
    let program = Program::start(&["storage.dedup_window=0"]).await;
    let body = request("logs", now_ns(), false);
    for _ in 0..2 {
        assert_eq!(program.post_otlp("logs", body.clone(), &[]).await.status(), 200);
    }
    assert_eq!(rows(&program, "default", "logs").await, Rows::default().plus(6, 0, 0));
}

/// `prometheus.WriteRequest` with what the test needs.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time_ms: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_write_is_counted_and_recognised_too() {
    let program = Program::start(&[]).await;
    let now_ms = i64::try_from(now_ns() / 1_000_000).unwrap();
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let old_ms = now_ms - 30 * 86_400_000;
    let samples: Vec<Sample> =
        [old_ms, now_ms - 1, now_ms].map(|time_ms| Sample { value: 1.5, time_ms }).to_vec();
    let labels = vec![label("__name__", "counted_value"), label("job", "x")];
    let request = WriteRequest { series: vec![Series { labels, samples }] }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&request).unwrap();
    for round in 0..2 {
        let request = program.http.post(program.url("/prometheus/api/v1/write"));
        let request = request.header("content-encoding", "snappy");
        let answer = request.header("content-type", "application/x-protobuf").body(body.clone());
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 400, "a sample was rejected");
        let text = answer.text().await.unwrap();
        assert!(text.contains("sample of metric \"counted_value\": time 20"), "{text}");
        assert!(text.contains("is too old, the oldest accepted is 20"), "{text}");
        let expected = Rows::default().plus(2, 1, 0);
        let expected = if round == 0 { expected } else { expected.plus(0, 1, 2) };
        assert_eq!(rows(&program, "default", "metrics").await, expected);
        assert_eq!(stored(&program, "metrics").await, 2);
    }
}
