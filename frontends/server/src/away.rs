//! Answering away from the threads that serve connections: a request is handed to another runtime,
//! and its answer comes back through a channel.
//!
//! ```text
//!  serve   request ─▶ spawn ┐            ┌▶ head ─▶ frames ─▶ connection
//!  query                    └▶ handler ──┴─ body ─▶ │ 4 │
//! ```
//!
//! A body that is in memory already is handed over whole. One that is not is read there and sent
//! frame by frame, no faster than the client takes it. When the client is gone, so is the work.

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Frames of a body that wait for the client.
const FRAMES: usize = 4;

/// Work on another runtime that ends when nobody wants it any more.
#[derive(Debug)]
struct Wanted(AbortHandle);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers a request on another runtime: for `axum::middleware::from_fn_with_state`.
pub(crate) async fn answer(State(place): State<Handle>, request: Request, next: Next) -> Response {
    let (head, answered) = oneshot::channel();
    let (frames, queue) = mpsc::channel(FRAMES);
    let task = place.spawn(async move {
        let (parts, mut body) = next.run(request).await.into_parts();
        if body.size_hint().exact().is_some() {
            // Whoever does not hear it has gone.
            let _ = head.send((parts, Some(body)));
            return;
        }
        if head.send((parts, None)).is_err() {
            return;
        }
        while let Some(frame) = body.frame().await {
            if frames.send(Some(frame)).await.is_err() {
                return;
            }
        }
        // The end is told, so that a handler which panics is not taken for one that is done.
        let _ = frames.send(None).await;
    });
    let task = Wanted(task.abort_handle());
    let Ok((parts, body)) = answered.await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the request was cut off\n").into_response();
    };
    if let Some(body) = body {
        return Response::from_parts(parts, body);
    }
    let frames = stream::unfold(Some((queue, task)), |state| async move {
        let (mut queue, task) = state?;
        match queue.recv().await {
            Some(Some(frame)) => Some((frame, Some((queue, task)))),
            Some(None) => None,
            None => Some((Err(axum::Error::new("the answer was cut off")), None)),
        }
    });
    Response::from_parts(parts, Body::new(StreamBody::new(frames)))
}

#[cfg(test)]
mod tests;
