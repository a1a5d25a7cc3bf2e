//! The messages of remote read, by the field numbers of `prometheus/prompb`.

use exec::RawSeries;
use exec::output::{Bucket, Histogram as Distribution, ResetHint};
use prost::Message;
use schemas::model::Labels;

/// What is asked.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) queries: Vec<ReadQuery>,
    /// Types of answers, the preferred first.
    #[prost(int32, repeated, tag = "2")]
    pub(super) accepted: Vec<i32>,
}

/// Series and times; hints are not read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReadQuery {
    #[prost(int64, tag = "1")]
    pub(super) start_ms: i64,
    #[prost(int64, tag = "2")]
    pub(super) end_ms: i64,
    #[prost(message, repeated, tag = "3")]
    pub(super) matchers: Vec<LabelMatcher>,
}

/// A condition on a label.
#[derive(Clone, PartialEq, Message)]
pub(super) struct LabelMatcher {
    /// `=`, `!=`, `=~`, `!~`.
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) value: String,
}

/// A series with samples.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<Histogram>,
}

/// A pair of name and value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// A number at a time.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) time_ms: i64,
}

/// A native histogram whose counts are floats.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(double, optional, tag = "2")]
    pub(super) count: Option<f64>,
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(super) schema: i32,
    #[prost(double, tag = "5")]
    pub(super) zero_threshold: f64,
    #[prost(double, optional, tag = "7")]
    pub(super) zero_count: Option<f64>,
    #[prost(message, repeated, tag = "8")]
    pub(super) negative_spans: Vec<Span>,
    #[prost(double, repeated, tag = "10")]
    pub(super) negative: Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    pub(super) positive_spans: Vec<Span>,
    #[prost(double, repeated, tag = "13")]
    pub(super) positive: Vec<f64>,
    #[prost(int32, tag = "14")]
    pub(super) reset_hint: i32,
    #[prost(int64, tag = "15")]
    pub(super) time_ms: i64,
    #[prost(double, repeated, tag = "16")]
    pub(super) bounds: Vec<f64>,
}

/// Buckets that follow each other.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    /// From the end of the span before; the index of its bucket if it is the first one.
    #[prost(sint32, tag = "1")]
    pub(super) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(super) length: u32,
}

/// One frame.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ChunkedReadResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) series: Vec<ChunkedSeries>,
    #[prost(int64, tag = "2")]
    pub(super) query_index: i64,
}

/// A series, or a part of one, with packed samples.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ChunkedSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) chunks: Vec<Chunk>,
}

/// Packed samples.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Chunk {
    #[prost(int64, tag = "1")]
    pub(super) min_time_ms: i64,
    #[prost(int64, tag = "2")]
    pub(super) max_time_ms: i64,
    /// 1: XOR, 2: histograms of whole counts, 3: other histograms.
    #[prost(int32, tag = "3")]
    pub(super) kind: i32,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) data: Vec<u8>,
}

pub(super) fn labels(labels: &Labels) -> Vec<Label> {
    let label = |label: &schemas::model::Label| Label {
        name: label.name.to_string(),
        value: label.value.to_string(),
    };
    labels.iter().map(label).collect()
}

impl From<RawSeries> for TimeSeries {
    fn from(series: RawSeries) -> Self {
        let sample = |(time_ms, value)| Sample { value, time_ms };
        Self {
            labels: labels(&series.labels),
            samples: series.samples.into_iter().map(sample).collect(),
            histograms: series.histograms.iter().map(Histogram::from).collect(),
        }
    }
}

impl From<&(i64, Distribution)> for Histogram {
    fn from((time_ms, found): &(i64, Distribution)) -> Self {
        let (positive_spans, positive) = spans(&found.positive);
        let (negative_spans, negative) = spans(&found.negative);
        Self {
            count: Some(found.count),
            sum: found.sum,
            schema: found.schema,
            zero_threshold: found.zero_threshold,
            zero_count: Some(found.zero_count),
            negative_spans,
            negative,
            positive_spans,
            positive,
            reset_hint: match found.hint {
                ResetHint::Unknown => 0,
                ResetHint::Reset => 1,
                ResetHint::NotReset => 2,
                ResetHint::Gauge => 3,
            },
            time_ms: *time_ms,
            bounds: found.bounds.to_vec(),
        }
    }
}

/// Runs of neighbouring buckets, and the counts of all.
pub(super) fn spans(buckets: &[Bucket]) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut end = 0;
    for (index, _) in buckets {
        match spans.last_mut() {
            Some(span) if *index == end => span.length += 1,
            _ => spans.push(Span { offset: index.saturating_sub(end), length: 1 }),
        }
        end = index.saturating_add(1);
    }
    (spans, buckets.iter().map(|bucket| bucket.1).collect())
}

/// Appends a message as a field of another one.
pub(super) fn push(out: &mut Vec<u8>, field: u8, message: &impl Message) {
    out.push(field << 3 | 2);
    push_varint(out, message.encoded_len() as u64);
    message.encode_raw(out);
}

/// Appends an encoded message as a field of another one.
pub(super) fn push_bytes(out: &mut Vec<u8>, field: u8, message: &[u8]) {
    out.push(field << 3 | 2);
    push_varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

/// Appends a number in groups of seven bits, the lowest first.
pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
