//! The doors: OTLP over HTTP, OTLP over gRPC, and Prometheus remote write.
//!
//! All take the body as bytes, never as a message: it goes compressed as it came into the WAL.

mod grpc;
mod http;
mod messages;
mod remote_write;

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use schemas::model::TENANT_HEADER;

use crate::admit::Reservation;
use crate::body::too_large;
use crate::error::{Error, ErrorKind};
use crate::ingest::Ingest;

pub use grpc::grpc_routes;
pub use http::http_router;
pub use remote_write::remote_write_router;

/// The tenant that the headers name.
fn tenant<'h>(ingest: &Ingest, headers: &'h HeaderMap) -> Result<&'h str, Error> {
    ingest.tenant(headers.get_all(TENANT_HEADER).iter().map(HeaderValue::as_bytes))
}

/// The value of a header; empty if it is absent or not ASCII.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// Receives a body of at most `bytes_max` bytes, within the budget for requests under way.
async fn read_body(
    ingest: &Arc<Ingest>,
    body: Body,
    bytes_max: usize,
) -> Result<(Bytes, Reservation), Error> {
    // Nothing of the body is held while there is no memory for it: its sender is made to wait.
    ingest.wait_for_memory().await?;
    let mut reservation = ingest.reservation();
    let mut stream = body.into_data_stream();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(received) = stream.next().await {
        let part = received
            .map_err(|error| Error::with_source(ErrorKind::Invalid, "body was cut off", error))?;
        if first.len() + rest.len() + part.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        reservation.grow(part.len())?;
        if first.is_empty() {
            first = part;
        } else {
            rest.extend_from_slice(&part);
        }
    }
    if rest.is_empty() {
        return Ok((first, reservation));
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok((whole.freeze(), reservation))
}

#[cfg(test)]
mod tests;
