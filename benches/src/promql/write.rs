//! Remote write 1.0: snappy-compressed requests, the same for each system.
//!
//! ```text
//!  time ─▶  chunk of 5 minutes     requests of a chunk go out together, four at once;
//!           series 1-100 │101-200…  the next chunk waits for all of them, so that every series
//!                                   arrives in order
//! ```

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use prost::Message;
use tokio::task::JoinSet;

use super::data::{INTERVAL_MS, Series, State};

/// Requests under way at once.
const CLIENTS: usize = 4;

/// Samples of a request, about.
const REQUEST_SAMPLES: usize = 2000;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
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
    timestamp: i64,
}

/// Requests in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// Bodies of each chunk of time.
    pub(super) chunks: Vec<Vec<Bytes>>,
    /// Samples in all.
    pub(super) samples: u64,
}

/// Makes requests one after another in time; remembers where each series stands.
pub(super) struct Writer<'a> {
    series: &'a [Series],
    states: Vec<State>,
    /// Time of the first step, in milliseconds.
    start_ms: i64,
    steps: u64,
    seed: u64,
}

impl<'a> Writer<'a> {
    /// All series at their first step, of `steps`.
    pub(super) fn new(series: &'a [Series], start_ms: i64, steps: u64, seed: u64) -> Self {
        Self { series, states: vec![State::default(); series.len()], start_ms, steps, seed }
    }

    /// Requests with the samples of some steps, so many of each series together.
    pub(super) fn requests(&mut self, steps: Range<u64>, together: u64) -> io::Result<Requests> {
        let mut requests = Requests::default();
        let mut from = steps.start;
        while from < steps.end {
            let chunk = from..(from + together).min(steps.end);
            let chunk_steps = usize::try_from(chunk.end - chunk.start).unwrap_or(1);
            let series_each = (REQUEST_SAMPLES / chunk_steps).max(1);
            let mut bodies = Vec::new();
            for first in (0..self.series.len()).step_by(series_each) {
                let last = (first + series_each).min(self.series.len());
                let (body, samples) = self.request(first..last, chunk.clone())?;
                bodies.push(body);
                requests.samples += samples;
            }
            requests.chunks.push(bodies);
            from = chunk.end;
        }
        Ok(requests)
    }

    fn request(&mut self, series: Range<usize>, steps: Range<u64>) -> io::Result<(Bytes, u64)> {
        let mut request = WriteRequest::default();
        let mut count = 0;
        for at in series {
            let one = &self.series[at];
            let mut samples = Vec::new();
            for step in steps.clone() {
                let value = one.value(&mut self.states[at], step, self.steps, self.seed);
                let offset_ms = i64::try_from(step).unwrap_or(0) * INTERVAL_MS;
                let sample = |value| Sample { value, timestamp: self.start_ms + offset_ms };
                samples.extend(value.map(sample));
            }
            if samples.is_empty() {
                continue;
            }
            count += samples.len() as u64;
            let label = |(name, value): &(String, String)| Label {
                name: name.clone(),
                value: value.clone(),
            };
            request
                .series
                .push(TimeSeries { labels: one.labels.iter().map(label).collect(), samples });
        }
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        Ok((body.map_err(io::Error::other)?.into(), count))
    }
}

/// Sends requests, chunk by chunk.
pub(super) async fn send(url: &str, requests: &Requests) -> io::Result<()> {
    let http = reqwest::Client::new();
    for chunk in &requests.chunks {
        let chunk = Arc::new(chunk.clone());
        let next = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (http, url) = (http.clone(), url.to_owned());
            let (chunk, next) = (Arc::clone(&chunk), Arc::clone(&next));
            clients.spawn(async move {
                while let Some(body) = chunk.get(next.fetch_add(1, Ordering::Relaxed)) {
                    post(&http, &url, body).await?;
                }
                Ok::<(), io::Error>(())
            });
        }
        while let Some(done) = clients.join_next().await {
            done.map_err(io::Error::other)??;
        }
    }
    Ok(())
}

/// Sends one request, again and again while it is told to come later.
async fn post(http: &reqwest::Client, url: &str, body: &Bytes) -> io::Result<()> {
    loop {
        let request = http
            .post(url)
            .header("content-encoding", "snappy")
            .header("content-type", "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0");
        let answer = request.body(body.clone()).send().await.map_err(io::Error::other)?;
        match answer.status().as_u16() {
            200..=299 => return Ok(()),
            429 | 503 => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            status => {
                let text = answer.text().await.unwrap_or_default();
                return Err(io::Error::other(format!("{url}: {status}: {text}")));
            }
        }
    }
}
