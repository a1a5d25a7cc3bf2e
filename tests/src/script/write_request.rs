//! Remote write 2.0: series as a request, by the field numbers of the specification.

use std::collections::HashMap;

use exec::output::{Bucket, Histogram, ResetHint};
use prost::Message;

use super::engine::BoxError;
use super::series::{Item, Series};

/// Whole numbers below this are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(uint32, repeated, tag = "1")]
    labels: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<NativeHistogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time_ms: i64,
    #[prost(int64, tag = "3")]
    start_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct NativeHistogram {
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
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
    #[prost(int64, tag = "17")]
    start_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Numbers.
    pub(crate) samples: usize,
    /// Native histograms.
    pub(crate) histograms: usize,
}

/// The compressed request of some series, the i-th sample of each at `first_ms + i * interval_ms`.
pub(crate) fn encode(
    (first_ms, interval_ms): (i64, i64),
    series: &[Series],
) -> Result<(Vec<u8>, Counts), BoxError> {
    let mut symbols = Symbols::default();
    symbols.number("");
    let mut counts = Counts::default();
    let mut sent = Vec::new();
    for described in series {
        let mut labels = Vec::new();
        for label in &described.labels {
            labels.extend([symbols.number(&label.name), symbols.number(&label.value)]);
        }
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        for (at, item) in (0..).zip(&described.items) {
            let time_ms = first_ms + interval_ms * at;
            match item {
                Item::Omitted => {}
                Item::Value(value) => {
                    let start_ms = described.start_ms(at, time_ms).unwrap_or(0);
                    samples.push(Sample { value: *value, time_ms, start_ms });
                }
                Item::Histogram(found, _) => {
                    let start_ms = described.start_ms(at, time_ms).unwrap_or(0);
                    let sent = NativeHistogram { start_ms, ..histogram(found, time_ms) };
                    histograms.push(sent);
                }
            }
        }
        counts.samples += samples.len();
        counts.histograms += histograms.len();
        // A series of a request has one kind of samples.
        for (samples, histograms) in [(samples, Vec::new()), (Vec::new(), histograms)] {
            if !(samples.is_empty() && histograms.is_empty()) {
                sent.push(TimeSeries { labels: labels.clone(), samples, histograms });
            }
        }
    }
    let request = Request { symbols: symbols.texts, series: sent };
    let packed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec())?;
    Ok((packed, counts))
}

#[derive(Default)]
struct Symbols {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Symbols {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// As integers if all counts are whole, as floats otherwise.
fn histogram(found: &Histogram, time_ms: i64) -> NativeHistogram {
    let counts = [found.count, found.zero_count].into_iter();
    let buckets = found.positive.iter().chain(&found.negative).map(|bucket| bucket.1);
    let is_whole = |count: f64| (0.0..EXACT_MAX).contains(&count) && count.fract() == 0.0;
    let is_int = counts.chain(buckets).all(is_whole);
    let (positive_spans, positive) = spans(&found.positive);
    let (negative_spans, negative) = spans(&found.negative);
    let mut sent = NativeHistogram {
        sum: found.sum,
        schema: found.schema,
        zero_threshold: found.zero_threshold,
        negative_spans,
        positive_spans,
        reset_hint: match found.hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        },
        time_ms,
        custom_values: found.bounds.to_vec(),
        ..NativeHistogram::default()
    };
    if is_int {
        sent.count = Some(found.count as u64);
        sent.zero_count = Some(found.zero_count as u64);
        (sent.positive_deltas, sent.negative_deltas) = (deltas(&positive), deltas(&negative));
    } else {
        sent.count_float = Some(found.count);
        sent.zero_count_float = Some(found.zero_count);
        (sent.positive_counts, sent.negative_counts) = (positive, negative);
    }
    sent
}

fn deltas(counts: &[f64]) -> Vec<i64> {
    let mut before = 0;
    let counts = counts.iter().map(|count| *count as i64);
    counts.map(|count| count - std::mem::replace(&mut before, count)).collect()
}

/// Runs of neighbouring buckets, and the counts of all.
fn spans(buckets: &[Bucket]) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut end = 0;
    for (index, _) in buckets {
        match spans.last_mut() {
            Some(span) if *index == end => span.length += 1,
            _ => spans.push(Span { offset: index - end, length: 1 }),
        }
        end = index + 1;
    }
    (spans, buckets.iter().map(|bucket| bucket.1).collect())
}
