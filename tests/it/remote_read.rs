//! Remote read: a real Prometheus queries the lake through it, and both speak in chunks alike.

use prost::Message;
use reqwest::{Response, StatusCode};

use crate::ask::seconds;
use crate::chunks;
use crate::program::Program;
use crate::remote_write::Prometheus;
use crate::telemetry::{self, SECOND_NS, now_ns};

const SAMPLES: i32 = 0;
const STREAMED_XOR_CHUNKS: i32 = 1;

/// Samples of each series: more than one chunk holds.
const POINTS: u64 = 300;

/// Seconds between two samples.
const INTERVAL: u64 = 10;

#[derive(Clone, PartialEq, Message)]
struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    queries: Vec<Query>,
    #[prost(int32, repeated, tag = "2")]
    accepted: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Query {
    #[prost(int64, tag = "1")]
    start_ms: i64,
    #[prost(int64, tag = "2")]
    end_ms: i64,
    #[prost(message, repeated, tag = "3")]
    matchers: Vec<Matcher>,
}

#[derive(Clone, PartialEq, Message)]
struct Matcher {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Frame {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
    #[prost(int64, tag = "2")]
    query_index: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    chunks: Vec<Chunk>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// Packed samples.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Chunk {
    #[prost(int64, tag = "1")]
    pub(crate) min_time_ms: i64,
    #[prost(int64, tag = "2")]
    pub(crate) max_time_ms: i64,
    /// 1: numbers, 2: histograms of whole counts, 3: other histograms.
    #[prost(int32, tag = "3")]
    pub(crate) kind: i32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
}

/// Names and values of labels.
pub(crate) type Labels = Vec<(String, String)>;

/// A series as it was read: its labels, then times and values.
pub(crate) type Read = (Labels, Vec<(i64, f64)>);

/// A matcher: `=`, `!=`, `=~`, `!~` by their numbers.
fn matcher(kind: i32, name: &str, value: &str) -> Matcher {
    Matcher { kind, name: name.to_owned(), value: value.to_owned() }
}

async fn post(program: &Program, url: &str, body: Vec<u8>) -> Response {
    let request = program.http.post(url).header("content-encoding", "snappy");
    request.header("content-type", "application/x-protobuf").body(body).send().await.unwrap()
}

fn packed(queries: Vec<Query>, accepted: Vec<i32>) -> Vec<u8> {
    let request = ReadRequest { queries, accepted };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

/// Reads one selector in chunks from a server: labels and chunks, series by series.
pub(crate) async fn read_series(
    program: &Program,
    url: &str,
    name: &str,
    (start_ms, end_ms): (i64, i64),
) -> Vec<(Labels, Vec<Chunk>)> {
    let query = Query { start_ms, end_ms, matchers: vec![matcher(0, "__name__", name)] };
    let answer = post(program, url, packed(vec![query], vec![STREAMED_XOR_CHUNKS, SAMPLES])).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let expected = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    assert_eq!(content_type, expected);
    let body = answer.bytes().await.unwrap();
    let mut rest = &body[..];
    let mut found: Vec<(Labels, Vec<Chunk>)> = Vec::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        let (_checksum, behind) = rest.split_at(4);
        let (payload, behind) = behind.split_at(length);
        rest = behind;
        let frame = Frame::decode(payload).unwrap();
        for series in frame.series {
            let pairs = series.labels.into_iter().map(|label| (label.name, label.value));
            let labels: Labels = pairs.collect();
            match found.last_mut() {
                Some(before) if before.0 == labels => before.1.extend(series.chunks),
                _ => found.push((labels, series.chunks)),
            }
        }
    }
    assert!(found.is_sorted_by(|a, b| a.0 < b.0), "series are sorted by labels");
    found
}

/// The same of series of numbers; samples outside of the range are left out.
pub(crate) async fn read_chunks(
    program: &Program,
    url: &str,
    name: &str,
    (start_ms, end_ms): (i64, i64),
) -> Vec<Read> {
    let found = read_series(program, url, name, (start_ms, end_ms)).await;
    let samples_of = |chunk: &Chunk| {
        assert_eq!(chunk.kind, 1, "an XOR chunk");
        let samples = chunks::numbers(&chunk.data);
        let ends = (samples.first().unwrap().0, samples.last().unwrap().0);
        assert_eq!(ends, (chunk.min_time_ms, chunk.max_time_ms));
        samples
    };
    let read = |(labels, chunks): (Labels, Vec<Chunk>)| {
        let samples = chunks.iter().flat_map(samples_of);
        (labels, samples.filter(|sample| (start_ms..=end_ms).contains(&sample.0)).collect())
    };
    found.into_iter().map(read).collect()
}

/// Two series with different values; the second one ends early.
async fn fill(program: &Program, first_ns: u64) {
    for (instance, count) in [("a", POINTS), ("b", POINTS / 2)] {
        let points = (0..count).map(|at| {
            let value = (at as f64).sqrt() + if instance == "a" { 0.0 } else { 1e9 };
            let attributes = vec![telemetry::text("instance_name", instance)];
            telemetry::point(first_ns + at * INTERVAL * SECOND_NS, value, attributes)
        });
        let metric = telemetry::gauge("depth", points.collect());
        program.send("metrics", &telemetry::metrics("reader", vec![metric])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_reads_what_is_stored() {
    let program = Program::start(&[]).await;
    let last_ns = now_ns() / (60 * SECOND_NS) * 60 * SECOND_NS;
    let first_ns = last_ns - POINTS * INTERVAL * SECOND_NS;
    fill(&program, first_ns).await;
    let url = program.url("/prometheus/api/v1/read");
    let config = format!("remote_read: [{{url: '{url}', read_recent: true}}]\n");
    let Some(prometheus) = Prometheus::start(&config).await else { return };
    // No window begins at a sample: to Prometheus 2 that sample belongs to it, to 3 it does not.
    let at = last_ns - 57 * SECOND_NS;
    for query in [
        "depth",
        "sum by (job) (rate(depth[5m]))",
        "count_over_time(depth[1h])",
        "{__name__=~\"de.*\", instance_name!=\"b\"}",
        "max_over_time(depth[20m:1m] offset 10m)",
        "absent(nothing)",
    ] {
        let (theirs, ours) =
            (prometheus.promql(&program, query, at).await, program.promql(query, at).await);
        assert_eq!(theirs, ours, "{query}");
        assert!(ours.as_array().is_some_and(|series| !series.is_empty()), "{query}: {ours}");
    }
    let (start, end) = (seconds(first_ns + 3 * SECOND_NS), seconds(last_ns));
    let params = [("query", "deriv(depth[2m])"), ("start", &start), ("end", &end), ("step", "60")];
    let ours = program.get("/prometheus/api/v1/query_range", &params).await;
    let theirs = prometheus.get(&program, "/api/v1/query_range", &params).await;
    assert_eq!(theirs["data"], ours["data"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_hold_every_sample() {
    let program = Program::start(&[]).await;
    let first_ns = now_ns() / SECOND_NS * SECOND_NS - POINTS * INTERVAL * SECOND_NS;
    fill(&program, first_ns).await;
    let url = program.url("/prometheus/api/v1/read");
    let first_ms = (first_ns / 1_000_000) as i64;
    let step_ms = INTERVAL as i64 * 1_000;
    // Both ends belong to the range.
    let range = (first_ms + step_ms, first_ms + 200 * step_ms);
    let found = read_chunks(&program, &url, "depth", range).await;
    let of = |read: &Read| read.0.iter().find(|label| label.0 == "instance_name").cloned();
    let names: Vec<String> = found.iter().map(|read| of(read).unwrap().1).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((found[0].1.len(), found[1].1.len()), (200, 149));
    for (at, (time_ms, value)) in (1..).zip(&found[0].1) {
        assert_eq!((*time_ms, *value), (first_ms + at * step_ms, (at as f64).sqrt()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_reads_are_refused() {
    let program = Program::start(&["query.samples_max=100"]).await;
    let first_ns = now_ns() - POINTS * INTERVAL * SECOND_NS;
    fill(&program, first_ns).await;
    let url = program.url("/prometheus/api/v1/read");
    let all = |matchers: Vec<Matcher>| Query { start_ms: 0, end_ms: i64::MAX, matchers };
    let name = || vec![matcher(0, "__name__", "depth")];
    for (body, status, told) in [
        (packed(vec![all(name())], vec![7]), 400, "does not support any of the requested"),
        (packed(vec![all(vec![matcher(2, "a", "(")])], vec![]), 400, ""),
        (packed(vec![all(vec![matcher(5, "a", "b")])], vec![]), 400, "invalid matcher type"),
        (b"no block".to_vec(), 400, ""),
        (packed(vec![all(name())], vec![]), 400, "exceeded sample limit (100)"),
        (packed(vec![all(name())], vec![1]), 400, "exceeded sample limit (100)"),
    ] {
        let answer = post(&program, &url, body).await;
        let (got, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(got, status, "{text}");
        assert!(text.contains(told), "{told}: {text}");
    }
    let nothing = post(&program, &url, packed(Vec::new(), Vec::new())).await;
    assert_eq!(nothing.status(), StatusCode::OK);
    assert_eq!(nothing.headers()["content-encoding"], "snappy");
}
