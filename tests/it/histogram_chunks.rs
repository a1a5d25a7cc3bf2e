//! Native histograms through remote read, in chunks as Prometheus packs them. They are read by the
//! format's description; no other server has read them yet.

use prost::Message;
use reqwest::StatusCode;

use crate::chunks::{self, Histogram};
use crate::program::Program;
use crate::remote_read::{Labels, read_series};
use crate::telemetry::{SECOND_NS, now_ns};

/// Samples of each series.
const POINTS: i64 = 200;

/// Milliseconds between two samples.
const STEP_MS: i64 = 5_000;

/// A request of remote write 1.0.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Native>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Native {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    count_float: Option<f64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, optional, tag = "6")]
    zero_count: Option<u64>,
    #[prost(double, optional, tag = "7")]
    zero_count_float: Option<f64>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    positive_counts: Vec<f64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    time_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// Whole counts that grow, with one more bucket from the middle on and a reset at three quarters.
fn whole(at: i64, time_ms: i64) -> Native {
    let since = if at >= POINTS * 3 / 4 { at - POINTS * 3 / 4 + 1 } else { at + 1 };
    let mut counts = vec![since, since * 3 + at % 7, since * 2];
    let mut spans = vec![Span { offset: -2, length: 2 }, Span { offset: 5, length: 1 }];
    if at >= POINTS / 2 {
        spans[1].length = 2;
        counts.push(since);
    }
    let mut before = 0;
    let deltas = counts.iter().map(|count| count - std::mem::replace(&mut before, *count));
    Native {
        positive_deltas: deltas.collect(),
        positive_spans: spans,
        negative_spans: vec![Span { offset: 1, length: 1 }],
        negative_deltas: vec![since],
        count: Some((counts.iter().sum::<i64>() + since * 2) as u64),
        zero_count: Some(since as u64),
        sum: since as f64 * 0.37,
        schema: 3,
        zero_threshold: 2.0_f64.powi(-128),
        time_ms,
        ..Native::default()
    }
}

/// Counts with fractions, of a gauge.
fn fractions(at: i64, time_ms: i64) -> Native {
    let level = (at as f64 / 9.0).sin() + 1.5;
    Native {
        positive_counts: vec![level, level * 2.25],
        positive_spans: vec![Span { offset: 0, length: 2 }],
        count_float: Some(level * 3.75),
        zero_count_float: Some(level * 0.5),
        sum: level,
        schema: 0,
        zero_threshold: 0.001,
        reset_hint: 3,
        time_ms,
        ..Native::default()
    }
}

fn request(first_ms: i64) -> Vec<u8> {
    let series = |name: &str, make: fn(i64, i64) -> Native| Series {
        labels: [("__name__", name), ("job", "shop")]
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .to_vec(),
        histograms: (0..POINTS).map(|at| make(at, first_ms + at * STEP_MS)).collect(),
    };
    let request =
        WriteRequest { series: vec![series("latency", whole), series("level", fractions)] };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

async fn send(program: &Program, url: String, body: Vec<u8>) {
    let request = program.http.post(url).header("content-type", "application/x-protobuf");
    let answer = request.header("content-encoding", "snappy").body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", answer.text().await.unwrap());
}

/// A series with all its histograms, and the kinds of its chunks.
type Packed = (Labels, Vec<(i64, Histogram)>, Vec<i32>);

/// The series of a metric.
async fn read(program: &Program, url: &str, name: &str, range: (i64, i64)) -> Vec<Packed> {
    let series = read_series(program, url, name, range).await;
    let unpacked = series.into_iter().map(|(labels, chunks)| {
        let mut samples = Vec::new();
        for chunk in &chunks {
            let found = chunks::histograms(chunk.kind, &chunk.data);
            let ends = (found[0].0, found[found.len() - 1].0);
            assert_eq!(ends, (chunk.min_time_ms, chunk.max_time_ms));
            samples.extend(found);
        }
        assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "samples ascend in time");
        (labels, samples, chunks.iter().map(|chunk| chunk.kind).collect())
    });
    unpacked.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_come_back_from_their_chunks() {
    let program = Program::start(&[]).await;
    let last_ms = (now_ns() / SECOND_NS) as i64 * 1_000;
    let first_ms = last_ms - POINTS * STEP_MS;
    let body = request(first_ms);
    send(&program, program.url("/prometheus/api/v1/write"), body).await;
    let range = (first_ms, last_ms);
    let url = program.url("/prometheus/api/v1/read");
    let mut ours = Vec::new();
    for (name, kind) in [("latency", 2), ("level", 3)] {
        let found = read(&program, &url, name, range).await;
        let [(_, samples, kinds)] = &found[..] else { panic!("{name}: {} series", found.len()) };
        assert_eq!(samples.len(), POINTS as usize, "{name}");
        assert!(kinds.iter().all(|found| *found == kind), "{name}: {kinds:?}");
        ours.push(found);
    }
    let third = &ours[0][0].1[2].1;
    // 3, 9 + 2, 6 and as many on the other side.
    assert_eq!(third.positive, [(-2, 3.0), (-1, 11.0), (5, 6.0)]);
    assert_eq!((third.count, third.zero_count, third.sum), (26.0, 3.0, 3.0 * 0.37));
    assert_eq!(third.negative, [(1, 3.0)]);
}
