//! OTLP over gRPC: the unary method `Export` of the three collector services.
//!
//! ```text
//!  request body   flag (1 byte: 0 plain, 1 compressed)  length (4 bytes, big endian)  message
//! ```
//!
//! The one message is unframed here instead of by tonic's codec for three reasons: the body is
//! received within the budget, it reaches the WAL as compressed as it came, and a message over
//! the limit is RESOURCE_EXHAUSTED, where tonic answers OUT_OF_RANGE, which tells an OTLP sender
//! to try again for ever. Statuses are tonic's.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use prost::Message;
use schemas::model::Signal;

use super::messages::{ExportResponse, Status, grpc_code};
use crate::body::{Compression, Encoding, Format};
use crate::error::{Error, ErrorKind};
use crate::ingest::{Accepted, Ingest};

const FRAME_HEADER_BYTES: usize = 5;
const ACCEPTED_ENCODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// The three OTLP services under their gRPC paths.
pub fn grpc_routes(ingest: Arc<Ingest>) -> Router {
    let mut router = Router::new();
    for (signal, path) in [
        (Signal::Logs, "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        (Signal::Metrics, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
        (Signal::Traces, "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    ] {
        let export = move |State(ingest): State<Arc<Ingest>>, request: Request| async move {
            export(&ingest, signal, request).await
        };
        router = router.route(path, post(export));
    }
    router.with_state(ingest)
}

async fn export(ingest: &Arc<Ingest>, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_grpc(super::header(&parts.headers, "content-type")) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let checked = compression_of(&parts.headers).and_then(|compression| {
        let tenant = super::tenant(ingest, &parts.headers).map_err(Refusal::Error)?;
        Ok((compression, tenant))
    });
    let (compression, tenant) = match checked {
        Ok(checked) => checked,
        Err(Refusal::Error(error)) => {
            ingest.refused(signal, error.kind());
            return encode_error(&error);
        }
        Err(Refusal::UnknownCompression(message)) => {
            ingest.refused(signal, ErrorKind::Unsupported);
            return encode_status(tonic::Status::unimplemented(message));
        }
    };
    let bytes_max = ingest.limits().body_bytes_max.saturating_add(FRAME_HEADER_BYTES);
    let received = super::read_body(ingest, body, bytes_max).await;
    let unframed = received.and_then(|(body, reservation)| {
        let (message, is_compressed) = unframe(body)?;
        Ok((message, is_compressed, reservation))
    });
    let (is_compressed, received) = match unframed {
        Ok((message, is_compressed, reservation)) => (is_compressed, Ok((message, reservation))),
        Err(error) => (false, Err(error)),
    };
    let compression = if is_compressed { compression } else { Compression::None };
    let encoding = Encoding { format: Format::Protobuf, compression };
    match ingest.ingest_received(tenant, signal, encoding, received).await {
        Ok(accepted) => encode_accepted(accepted),
        Err(error) => encode_error(&error),
    }
}

/// Whether this is gRPC with protobuf; `application/grpc-web` is another protocol.
fn is_grpc(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    ["application/grpc", "application/grpc+proto"].contains(&media_type)
}

/// Why a request was not looked at.
enum Refusal {
    Error(Error),
    UnknownCompression(String),
}

/// How the message is compressed if its flag says that it is.
fn compression_of(headers: &HeaderMap) -> Result<Compression, Refusal> {
    match super::header(headers, "grpc-encoding") {
        "" | "identity" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        other => Err(Refusal::UnknownCompression(format!(
            "grpc-encoding {other:?} is not known, use identity, gzip or zstd"
        ))),
    }
}

/// The one message of a unary call, and whether it is compressed.
fn unframe(mut body: Bytes) -> Result<(Bytes, bool), Error> {
    let invalid = |message: &str| Error::new(ErrorKind::Invalid, message);
    if body.len() < FRAME_HEADER_BYTES {
        return Err(invalid("call has no message"));
    }
    let is_compressed = match body.get_u8() {
        0 => false,
        1 => true,
        _ => return Err(invalid("message has an unknown compression flag")),
    };
    let length = body.get_u32() as usize;
    if body.len() != length {
        return Err(invalid("call has not exactly one whole message"));
    }
    Ok((body, is_compressed))
}

fn encode_accepted(accepted: Accepted) -> Response {
    let message = ExportResponse::from(accepted).encode_to_vec();
    let mut frame = BytesMut::with_capacity(FRAME_HEADER_BYTES + message.len());
    frame.put_u8(0);
    // The message has one text of limited length.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(0));
    frame.put_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response.headers_mut().insert("grpc-accept-encoding", ACCEPTED_ENCODINGS);
    response
}

fn encode_error(error: &Error) -> Response {
    if error.kind() == ErrorKind::Internal || error.kind() == ErrorKind::Unavailable {
        tracing::error!(%error, "OTLP call was not stored");
    }
    let message = error.to_string();
    let code = grpc_code(error.kind());
    encode_status(match error.retry_after() {
        None => tonic::Status::new(code, message),
        Some(_) => {
            let details = Status::of(error).encode_to_vec();
            tonic::Status::with_details(code, message, details.into())
        }
    })
}

fn encode_status(status: tonic::Status) -> Response {
    let mut response: Response = status.into_http();
    response.headers_mut().insert("grpc-accept-encoding", ACCEPTED_ENCODINGS);
    response
}
