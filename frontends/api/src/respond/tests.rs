//! Answers written while their batches arrive.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, StringArray};
use exec::{ErrorKind, OutputKind, QueryOutput};
use futures::StreamExt;

use super::*;

struct Names;

impl Encode for Names {
    type Buffer = String;

    fn open(&mut self, out: &mut String) {
        out.push('<');
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut String) -> Result<(), Error> {
        for text in crate::rows::texts(rows, "name")?.iter().flatten() {
            out.push_str(text);
        }
        Ok(())
    }

    fn close(&mut self, _end: &End, out: &mut String) {
        out.push('>');
    }
}

fn batch(text: &str, rows: usize) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from(vec![text; rows]));
    RecordBatch::try_from_iter([("name", names)]).unwrap()
}

async fn output(batches: Vec<Result<RecordBatch, exec::Error>>) -> Result<Output, Error> {
    let output = QueryOutput {
        memory: exec::QueryMemory::default(),
        kind: OutputKind::Names,
        stream: strict(batches).boxed(),
        stats: Arc::default(),
        annotations: Arc::default(),
    };
    let now = Instant::now();
    Output::new(output, now, now + Duration::from_secs(5), 0).await
}

/// A stream that panics if it is polled after its end.
fn strict<T: Send + 'static>(items: Vec<T>) -> impl futures::Stream<Item = T> + Send {
    futures::stream::unfold(items.into_iter(), |mut items| async move {
        items.next().map(|item| (item, items))
    })
}

fn limit_hit() -> exec::Error {
    exec::Error::new(ErrorKind::Limit, "too many")
}

#[tokio::test]
async fn chunks_follow_one_another() {
    let output = output(vec![Ok(batch("a", 2)), Ok(batch("b", 100_000))]).await.unwrap();
    let response = stream_json(output, Names).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let mut text = Vec::new();
    let mut chunks = 0;
    while let Some(chunk) = body.next().await {
        text.extend(chunk.unwrap());
        chunks += 1;
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text, format!("<aa{}>", "b".repeat(100_000)));
    assert_eq!(chunks, 2);
}

#[tokio::test]
async fn an_error_before_the_first_batch_has_its_own_status() {
    let error = output(vec![Err(limit_hit())]).await.err().unwrap();
    assert_eq!(error.to_string(), "too many");
    assert_eq!(error.kind(), crate::error::ErrorKind::Limit);
}

#[tokio::test]
async fn a_late_error_ends_the_body() {
    let output = output(vec![Ok(batch("a", 80_000)), Err(limit_hit())]).await.unwrap();
    let response = stream_json(output, Names).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok());
    assert!(body.next().await.unwrap().is_err());
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn no_batches_are_an_empty_answer() {
    let response = stream_json(output(Vec::new()).await.unwrap(), Names).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let bytes = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(bytes, "<>");
}
