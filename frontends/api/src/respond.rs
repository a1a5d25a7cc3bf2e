//! Answers written while their batches arrive, and counted when they end.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use exec::{Annotations, Held, QueryStats};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::time::Instant;

use crate::error::Error;
use crate::run::{Batches, Output};
use crate::stats::{Counters, Language, Outcome, QueryTimer};

/// Bytes of an answer that are sent together.
const CHUNK_BYTES: usize = 64 * 1024;

/// Room that is made for a chunk: what comes last may be over.
const CHUNK_ROOM_BYTES: usize = CHUNK_BYTES + 48 * 1024;

/// Rows that are written between two looks at the size of a chunk, unless an encoder knows better.
const ROWS_PER_LOOK: usize = 256;

/// Writes the rows of an answer. Each call may get a new, empty `out`.
pub(crate) trait Encode: Send + 'static {
    /// What is written to: text or bytes.
    type Buffer: Buffer;

    /// What stands before the rows.
    fn open(&mut self, out: &mut Self::Buffer);

    /// Rows that are written between two looks at the size of a chunk.
    fn rows_per_look(&self) -> usize {
        ROWS_PER_LOOK
    }

    /// Some rows.
    fn rows(&mut self, rows: &RecordBatch, out: &mut Self::Buffer) -> Result<(), Error>;

    /// Bytes of the rows that were taken and are not written yet.
    fn held_bytes(&self) -> usize {
        0
    }

    /// What stands behind the rows.
    fn close(&mut self, end: &End, out: &mut Self::Buffer);
}

/// Part of an answer.
pub(crate) trait Buffer: Default + Into<Bytes> + Send + 'static {
    /// One that has room for so many bytes.
    fn with_room(bytes: usize) -> Self;

    /// Its length in bytes.
    fn bytes(&self) -> usize;
}

impl Buffer for String {
    fn with_room(bytes: usize) -> Self {
        Self::with_capacity(bytes)
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Buffer for Vec<u8> {
    fn with_room(bytes: usize) -> Self {
        Self::with_capacity(bytes)
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

/// What is known when the last row is written.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) stats: Arc<QueryStats>,
    /// Texts about doubtful parts of the answer.
    pub(crate) warnings: Vec<String>,
    /// Texts about parts that may be meant otherwise.
    pub(crate) infos: Vec<String>,
    pub(crate) started: Instant,
}

/// A JSON answer of status 200; see [`stream`].
pub(crate) async fn stream_json(output: Output, encoder: impl Encode) -> Result<Response, Error> {
    stream(output, encoder, "application/json").await
}

/// An answer of status 200, its first chunk already written: what fails before that is still
/// an error with its own status. What fails later ends the body before its time.
pub(crate) async fn stream(
    output: Output,
    encoder: impl Encode,
    content_type: &'static str,
) -> Result<Response, Error> {
    let Output { batches, stats, annotations, memory, started, answer_bytes_max, .. } = output;
    let read = ReadStats(Arc::clone(&stats));
    let end = End { stats, warnings: Vec::new(), infos: Vec::new(), started };
    let mut writer = Writer {
        batches,
        encoder,
        annotations,
        end,
        rest: None,
        stage: Stage::Opening,
        written: 0,
        bytes_max: answer_bytes_max,
        held: memory.hold("answer"),
    };
    let first = writer.next_chunk().await?;
    if let Stage::Ended = writer.stage {
        // Of a known length, it is handed on at once.
        let mut response = whole(content_type, first.unwrap_or_default());
        response.extensions_mut().insert(read);
        return Ok(response);
    }
    let first = futures::stream::iter(first.map(Ok));
    let rest = futures::stream::unfold(writer, |mut writer| async move {
        match writer.next_chunk().await {
            Ok(chunk) => chunk.map(|chunk| (Ok(chunk), writer)),
            Err(error) => {
                error.log("an answer was cut short");
                writer.stage = Stage::Ended;
                Some((Err(error), writer))
            }
        }
    });
    let mut response = whole(content_type, Body::from_stream(first.chain(rest)));
    response.extensions_mut().insert(read);
    Ok(response)
}

/// Refuses an answer of more bytes than it may have; 0: any number.
pub(crate) fn check_answer(bytes: u64, bytes_max: u64) -> Result<(), Error> {
    if bytes_max == 0 || bytes <= bytes_max {
        return Ok(());
    }
    Err(Error::limit(format!("the answer is over the limit of {bytes_max} bytes (answer_bytes)")))
}

/// The parts of an answer, which end with an error once they are more bytes than it may have.
pub(crate) fn bounded(
    parts: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
    bytes_max: u64,
) -> BoxStream<'static, Result<Bytes, Error>> {
    let mut written = 0;
    let checked = parts.map(move |part| {
        let part = part?;
        written += part.len() as u64;
        check_answer(written, bytes_max).map(|()| part)
    });
    checked.boxed()
}

/// A whole JSON text as an answer of status 200.
pub(crate) fn json(body: impl Into<Body>) -> Response {
    whole("application/json", body)
}

/// An answer of status 200.
pub(crate) fn whole(content_type: &'static str, body: impl Into<Body>) -> Response {
    let content_type = HeaderValue::from_static(content_type);
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body.into()).into_response()
}

/// What a server of this version says about how it was built.
pub(crate) fn buildinfo(version: &str) -> String {
    format!(
        concat!(
            r#"{{"version":"{}","revision":"siglake-{}","branch":"siglake","buildUser":"","#,
            r#""buildDate":"","goVersion":""}}"#,
        ),
        version,
        env!("CARGO_PKG_VERSION"),
    )
}

struct Writer<E> {
    batches: Batches,
    encoder: E,
    annotations: Arc<Annotations>,
    end: End,
    /// Rows of the current batch that are not written yet.
    rest: Option<RecordBatch>,
    stage: Stage,
    /// Bytes of the chunks so far.
    written: u64,
    /// Bytes that the answer may have; 0: any number.
    bytes_max: u64,
    /// Memory of what is gathered; when it is written, it is held twice.
    held: Held,
}

enum Stage {
    Opening,
    Rows,
    Ended,
}

impl<E: Encode> Writer<E> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let mut out = match self.stage {
            Stage::Opening => E::Buffer::default(),
            // What is over one chunk is likely over many.
            Stage::Rows => E::Buffer::with_room(CHUNK_ROOM_BYTES),
            Stage::Ended => return Ok(None),
        };
        if let Stage::Opening = self.stage {
            self.encoder.open(&mut out);
        }
        self.stage = Stage::Rows;
        while out.bytes() < CHUNK_BYTES {
            let Some(rows) = self.next_rows().await? else {
                self.end.warnings = self.annotations.warnings();
                self.end.infos = self.annotations.infos();
                self.encoder.close(&self.end, &mut out);
                self.stage = Stage::Ended;
                break;
            };
            self.encoder.rows(&rows, &mut out)?;
            self.held.resize(out.bytes() + 2 * self.encoder.held_bytes())?;
        }
        self.written += out.bytes() as u64;
        check_answer(self.written, self.bytes_max)?;
        Ok(Some(out.into()))
    }

    async fn next_rows(&mut self) -> Result<Option<RecordBatch>, Error> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next().await? {
                Some(batch) => batch,
                None => return Ok(None),
            },
        };
        let count = batch.num_rows().min(self.encoder.rows_per_look());
        if count < batch.num_rows() {
            self.rest = Some(batch.slice(count, batch.num_rows() - count));
        }
        Ok(Some(batch.slice(0, count)))
    }
}

/// Tells the counting layer what a query read.
#[derive(Clone)]
pub(crate) struct ReadStats(pub(crate) Arc<QueryStats>);

/// What the counting layer needs to know.
#[derive(Clone)]
pub(crate) struct Count {
    pub(crate) counters: Arc<Counters>,
    pub(crate) language: Language,
}

/// Counts a query from its first byte to the last byte of its answer, or to the whole answer if
/// that is in memory.
pub(crate) async fn count(State(count): State<Count>, request: Request, next: Next) -> Response {
    let mut timer = QueryTimer::start(&count.counters, count.language);
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_success() {
        timer.end(if status.is_server_error() { Outcome::Failed } else { Outcome::Refused });
        return response;
    }
    let (parts, body) = response.into_parts();
    if let Some(read) = parts.extensions.get::<ReadStats>() {
        timer.reads(&read.0);
    }
    if body.size_hint().exact().is_some() {
        timer.end(Outcome::Answered);
        return Response::from_parts(parts, body);
    }
    let counted = futures::stream::unfold(
        (body.into_data_stream(), Some(timer)),
        |(mut body, mut timer)| async move {
            let chunk = body.next().await;
            match &chunk {
                None => timer.take().into_iter().for_each(|timer| timer.end(Outcome::Answered)),
                Some(Err(_)) => {
                    timer.take().into_iter().for_each(|timer| timer.end(Outcome::Failed))
                }
                Some(Ok(_)) => {}
            }
            chunk.map(|chunk| (chunk, (body, timer)))
        },
    );
    Response::from_parts(parts, Body::from_stream(counted.fuse()))
}

#[cfg(test)]
mod tests;
