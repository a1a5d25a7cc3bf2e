//! `POST /api/v1/read`: remote read, as a Prometheus asks it.
//!
//! ```text
//!  snappy(ReadRequest) ─▶ queries, one after the other ─▶ SAMPLES              snappy(ReadResponse)
//!                                                       └ STREAMED_XOR_CHUNKS  frames, as they come
//! ```
//!
//! A frame is the length of its message as a varint, the CRC-32C of the message in four bytes,
//! big-endian, and the message: one series, or a part of one. Of the types that a client accepts,
//! the first one that is known is sent. Chunks hold numbers or native histograms, these as whole
//! counts where they are.

mod bits;
mod chunks;
mod histogram_chunk;
mod messages;
#[cfg(test)]
#[path = "../../../../tests/it/chunks.rs"]
mod unpacked;
mod xor;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use exec::RawSeries;
use futures::StreamExt;
use prost::Message;
use schemas::model::{MatchOp, Matcher, NANOS_PER_MILLI, TimeRange};

use super::Ask;
use crate::error::{Error, ErrorKind};
use crate::respond::{bounded, check_answer};
use crate::run::RawSamples;
use messages::{ChunkedReadResponse, ChunkedSeries, ReadQuery, ReadRequest, TimeSeries};

/// Types of answers, by their numbers.
const SAMPLES: i32 = 0;
const STREAMED_XOR_CHUNKS: i32 = 1;

/// Queries a request may have.
const QUERIES_MAX: usize = 100;

/// Bytes of a request, inflated: matchers may be long, but not without end.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// What a series needs of a frame beside its chunks and its labels' texts, for each label.
const LABEL_OVERHEAD: usize = 8;

pub(super) async fn read(ask: Ask) -> Response {
    match answer(&ask).await {
        Ok(response) => response,
        // Prometheus answers here in plain text.
        Err(error) => {
            let status = match error.kind() {
                ErrorKind::Execution | ErrorKind::Limit => StatusCode::BAD_REQUEST,
                kind => crate::error::status(kind),
            };
            if status.is_server_error() {
                error.log("a remote read failed");
            }
            crate::error::plain_text(status, &error)
        }
    }
}

async fn answer(ask: &Ask) -> Result<Response, Error> {
    let request = decode(&ask.body)?;
    let kind = kind_of_answer(&request.accepted)?;
    let mut queries = Vec::new();
    for query in &request.queries {
        let selector = matchers(query)?;
        queries.push((selector, range(query)));
    }
    let first = match queries.first() {
        Some((selector, range)) => Some(run(ask, selector, *range).await?),
        None => None,
    };
    match kind {
        SAMPLES => sampled(ask, queries, first).await,
        _ => streamed(ask, queries, first).await,
    }
}

/// The first accepted type that is known.
fn kind_of_answer(accepted: &[i32]) -> Result<i32, Error> {
    if accepted.is_empty() {
        return Ok(SAMPLES);
    }
    let is_known = |kind: &i32| matches!(*kind, SAMPLES | STREAMED_XOR_CHUNKS);
    accepted.iter().copied().find(is_known).ok_or_else(|| {
        Error::invalid(format!(
            "server does not support any of the requested response types: {accepted:?}; \
             supported: SAMPLES, STREAMED_XOR_CHUNKS"
        ))
    })
}

type Queries = Vec<(Vec<Matcher>, TimeRange)>;

async fn run(ask: &Ask, selector: &[Matcher], range: TimeRange) -> Result<RawSamples, Error> {
    let selectors = [selector.to_vec()];
    ask.api.raw(&ask.tenant, &selectors, range, ask.deadline(None)).await
}

fn decode(body: &Bytes) -> Result<ReadRequest, Error> {
    let length = snap::raw::decompress_len(body).map_err(|error| Error::invalid(error.to_string()));
    if length? > REQUEST_BYTES_MAX {
        let message = format!("the request has over {REQUEST_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let inflated = snap::raw::Decoder::new().decompress_vec(body);
    let inflated = inflated.map_err(|error| Error::invalid(error.to_string()))?;
    let request = ReadRequest::decode(inflated.as_slice());
    let request = request.map_err(|error| Error::invalid(error.to_string()))?;
    if request.queries.len() > QUERIES_MAX {
        return Err(Error::invalid(format!("the request has over {QUERIES_MAX} queries")));
    }
    Ok(request)
}

fn matchers(query: &ReadQuery) -> Result<Vec<Matcher>, Error> {
    let matcher = |matcher: &messages::LabelMatcher| {
        let op = match matcher.kind {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Regex,
            3 => MatchOp::NotRegex,
            _ => return Err(Error::invalid("invalid matcher type")),
        };
        let matcher = Matcher::new(matcher.name.as_str(), op, matcher.value.as_str());
        matcher.compile().map_err(|error| Error::invalid(error.to_string()))?;
        Ok(matcher)
    };
    query.matchers.iter().map(matcher).collect()
}

/// Both ends belong to the range that is asked for.
fn range(query: &ReadQuery) -> TimeRange {
    let end_ms = query.end_ms.saturating_add(1);
    TimeRange {
        start_ns: query.start_ms.saturating_mul(NANOS_PER_MILLI),
        end_ns: end_ms.saturating_mul(NANOS_PER_MILLI),
    }
}

/// The whole answer at once; it is held in the memory of its query until it is sent.
async fn sampled(
    ask: &Ask,
    queries: Queries,
    mut first: Option<RawSamples>,
) -> Result<Response, Error> {
    let mut response = Vec::new();
    let mut all_held = Vec::new();
    let most = ask.api.session.limits().samples_max;
    let mut samples = 0;
    for (selector, range) in queries {
        let mut found = match first.take() {
            Some(found) => found,
            None => run(ask, &selector, range).await?,
        };
        let held = found.hold("answer");
        let mut result = Vec::new();
        while let Some(series) = found.next().await.transpose()? {
            samples += series.samples.len() + series.histograms.len();
            if samples > most {
                return Err(Error::limit(format!("exceeded sample limit ({most})")));
            }
            messages::push(&mut result, 1, &TimeSeries::from(series));
            // The result stands in the answer once more, and packed.
            held.resize(3 * result.capacity())?;
            check_answer((response.len() + result.len()) as u64, ask.options.answer_bytes_max)?;
        }
        messages::push_bytes(&mut response, 1, &result);
        all_held.push(held);
    }
    let packed = snap::raw::Encoder::new().compress_vec(&response);
    let packed = packed.map_err(|error| Error::internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
        (header::CONTENT_ENCODING, HeaderValue::from_static("snappy")),
    ];
    Ok((headers, packed).into_response())
}

/// Frames, made as the client takes them.
async fn streamed(
    ask: &Ask,
    queries: Queries,
    first: Option<RawSamples>,
) -> Result<Response, Error> {
    let most = ask.options.read_frame_bytes_max;
    let (api, tenant, deadline) = (Arc::clone(&ask.api), ask.tenant.clone(), ask.deadline(None));
    // One query after the other: each takes a place among those that run.
    let later = (1..).zip(queries.into_iter().skip(1));
    let later = futures::stream::iter(later).then(move |(at, (selector, range))| {
        let (api, tenant) = (Arc::clone(&api), tenant.clone());
        async move {
            let found = api.raw(&tenant, &[selector], range, deadline).await;
            found.map(|samples| (at, samples))
        }
    });
    let found = futures::stream::iter(first.map(|samples| Ok((0, samples)))).chain(later);
    let frames = found.flat_map(move |found| match found {
        Ok((at, samples)) => {
            let frames = samples.into_stream().flat_map(move |series| {
                futures::stream::iter(match series {
                    Ok(series) => frames(&series, at, most).into_iter().map(Ok).collect::<Vec<_>>(),
                    Err(error) => vec![Err(error)],
                })
            });
            frames.left_stream()
        }
        Err(error) => futures::stream::iter([Err(error)]).right_stream(),
    });
    let mut frames = bounded(frames, ask.options.answer_bytes_max);
    // What fails before the first frame still has a status of its own.
    let head = frames.next().await.transpose()?;
    let body = futures::stream::iter(head.map(Ok)).chain(frames);
    let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// The frames of a series, each not much over `most` bytes.
fn frames(series: &RawSeries, query_index: i64, most: usize) -> Vec<Bytes> {
    let labels = messages::labels(&series.labels);
    let texts = labels.iter().map(|label| label.name.len() + label.value.len() + LABEL_OVERHEAD);
    let room = most.saturating_sub(texts.sum());
    let mut chunks = chunks::chunks(series).peekable();
    let mut frames = Vec::new();
    while chunks.peek().is_some() {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(chunk) = chunks.next_if(|_| taken.is_empty() || bytes < room) {
            bytes += chunk.data.len();
            taken.push(chunk);
        }
        let series = ChunkedSeries { labels: labels.clone(), chunks: taken };
        frames.push(frame(&ChunkedReadResponse { series: vec![series], query_index }));
    }
    frames
}

/// Length, checksum, message.
fn frame(message: &ChunkedReadResponse) -> Bytes {
    let payload = message.encode_to_vec();
    let mut out = Vec::with_capacity(payload.len() + 14);
    messages::push_varint(&mut out, payload.len() as u64);
    out.extend_from_slice(&crc32c::crc32c(&payload).to_be_bytes());
    out.extend_from_slice(&payload);
    out.into()
}

#[cfg(test)]
mod tests;
