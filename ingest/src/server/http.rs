//! OTLP over HTTP: `POST /v1/{logs,metrics,traces}`, protobuf or JSON, plain, gzip or zstd.
//!
//! Everything is answered in the request's own format; an error is a `google.rpc.Status`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prost::Message;
use schemas::model::Signal;

use super::messages::{ExportResponse, Status};
use crate::body::{Compression, Encoding, Format};
use crate::error::{Error, ErrorKind};
use crate::ingest::{Accepted, Ingest};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// `POST /v1/logs`, `/v1/metrics` and `/v1/traces`.
pub fn http_router(ingest: Arc<Ingest>) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        let export = move |State(ingest): State<Arc<Ingest>>, request: Request| async move {
            export(&ingest, signal, request).await
        };
        router = router.route(&format!("/v1/{}", signal.name()), post(export));
    }
    router.with_state(ingest)
}

async fn export(ingest: &Arc<Ingest>, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let format = format_of(&parts.headers);
    let encoding = format
        .and_then(|format| Ok(Encoding { format, compression: compression_of(&parts.headers)? }));
    let checked =
        encoding.and_then(|encoding| Ok((encoding, super::tenant(ingest, &parts.headers)?)));
    let accepted = match checked {
        Ok((encoding, tenant)) => {
            let received = super::read_body(ingest, body, ingest.limits().body_bytes_max).await;
            ingest.ingest_received(tenant, signal, encoding, received).await
        }
        Err(error) => {
            ingest.refused(signal, error.kind());
            Err(error)
        }
    };
    // A sender whose format is not known most likely is a person.
    let format = format_of(&parts.headers).unwrap_or(Format::Json);
    match accepted {
        Ok(accepted) => encode_accepted(accepted, signal, format),
        Err(error) => encode_error(&error, format),
    }
}

fn format_of(headers: &HeaderMap) -> Result<Format, Error> {
    let content_type = super::header(headers, "content-type");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    match media_type.to_ascii_lowercase().as_str() {
        PROTOBUF | "application/protobuf" => Ok(Format::Protobuf),
        JSON => Ok(Format::Json),
        _ => {
            let message =
                format!("content type {content_type:?} is not known, use {PROTOBUF} or {JSON}");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

fn compression_of(headers: &HeaderMap) -> Result<Compression, Error> {
    let encoding = super::header(headers, "content-encoding").trim();
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Compression::None),
        "gzip" | "x-gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => {
            let message =
                format!("content encoding {encoding:?} is not known, use gzip, zstd or none");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

fn encode_accepted(accepted: Accepted, signal: Signal, format: Format) -> Response {
    let message = ExportResponse::from(accepted);
    let body = match format {
        Format::Json => message.to_json(signal),
        _ => message.encode_to_vec(),
    };
    response(StatusCode::OK, format, body)
}

fn encode_error(error: &Error, format: Format) -> Response {
    let status = status(error.kind());
    if status.is_server_error() {
        tracing::error!(%error, "OTLP request was not stored");
    }
    let message = Status::of(error);
    let body = match format {
        Format::Json => message.to_json(error),
        _ => message.encode_to_vec(),
    };
    let mut response = response(status, format, body);
    add_retry_after(&mut response, error);
    response
}

/// The status that tells a client what to do about an error.
pub(super) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Limit => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Says when the same request may come again, if that helps.
pub(super) fn add_retry_after(response: &mut Response, error: &Error) {
    if let Some(delay) = error.retry_after() {
        // Whole seconds, at least one: zero would mean "at once".
        let seconds = delay.as_secs().max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn response(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let content_type = match format {
        Format::Json => JSON,
        _ => PROTOBUF,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
