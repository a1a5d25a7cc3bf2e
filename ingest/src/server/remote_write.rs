//! Prometheus remote write 1.0 and 2.0: `POST /api/v1/write`.
//!
//! ```text
//!  204  everything is stored, durably
//!  400  some or all samples can never be stored, the others are; or the body is no message
//!  415  another message, encoding or compression than is taken
//!  429  too much is under way, 503 the disk does not answer: the same request may come again
//! ```
//!
//! Every answer to 2.0 says in its headers how much was written, so that a sender notices a
//! receiver that drops parts of what it sent.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode};
use schemas::model::Signal;

use super::http::{add_retry_after, status};
use crate::body::{Compression, Encoding, Format};
use crate::decode::Written;
use crate::error::{Error, ErrorKind};
use crate::ingest::{Accepted, Ingest};

const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";
const HISTOGRAMS_WRITTEN: &str = "x-prometheus-remote-write-histograms-written";
const EXEMPLARS_WRITTEN: &str = "x-prometheus-remote-write-exemplars-written";

/// `POST /api/v1/write`.
pub fn remote_write_router(ingest: Arc<Ingest>) -> Router {
    let write = |State(ingest): State<Arc<Ingest>>, request: Request| async move {
        let (parts, body) = request.into_parts();
        match format_of(&parts.headers) {
            Ok(format) => respond(write(&ingest, &parts.headers, format, body).await, format),
            Err(error) => {
                ingest.refused(Signal::Metrics, error.kind());
                (status(error.kind()), format!("{error}\n")).into_response()
            }
        }
    };
    Router::new().route("/api/v1/write", post(write)).with_state(ingest)
}

async fn write(
    ingest: &Arc<Ingest>,
    headers: &HeaderMap,
    format: Format,
    body: Body,
) -> Result<Accepted, Error> {
    let tenant = super::tenant(ingest, headers).inspect_err(|error| {
        ingest.refused(Signal::Metrics, error.kind());
    })?;
    let encoding = Encoding { format, compression: Compression::Snappy };
    let received = super::read_body(ingest, body, ingest.limits().body_bytes_max).await;
    ingest.ingest_received(tenant, Signal::Metrics, encoding, received).await
}

/// The message that the headers announce; without any it is that of 1.0.
fn format_of(headers: &HeaderMap) -> Result<Format, Error> {
    let unsupported = |message| Error::new(ErrorKind::Unsupported, message);
    let encoding = super::header(headers, "content-encoding").trim();
    if !(encoding.is_empty() || encoding.eq_ignore_ascii_case("snappy")) {
        return Err(unsupported(format!("content encoding {encoding:?} is not known, use snappy")));
    }
    let content_type = super::header(headers, "content-type");
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if !(media_type.is_empty() || media_type.eq_ignore_ascii_case("application/x-protobuf")) {
        return Err(unsupported(format!(
            "content type {content_type:?} is not known, use application/x-protobuf"
        )));
    }
    match parts.find_map(|part| part.strip_prefix("proto=")) {
        None | Some("" | "prometheus.WriteRequest") => Ok(Format::RemoteWrite1),
        Some("io.prometheus.write.v2.Request") => Ok(Format::RemoteWrite2),
        Some(other) => Err(unsupported(format!(
            "message {other:?} is not known, use prometheus.WriteRequest or \
             io.prometheus.write.v2.Request"
        ))),
    }
}

fn respond(written: Result<Accepted, Error>, format: Format) -> Response {
    let mut counts = Written::default();
    let mut response = match written {
        Ok(accepted) => {
            counts = accepted.written;
            match accepted.reason {
                None => StatusCode::NO_CONTENT.into_response(),
                Some(reason) => {
                    let rejected = accepted.rejected;
                    let message = format!("{rejected} samples are not stored: {reason}\n");
                    (StatusCode::BAD_REQUEST, message).into_response()
                }
            }
        }
        Err(error) => {
            let status = status(error.kind());
            if status.is_server_error() {
                tracing::error!(%error, "remote write was not stored");
            }
            let mut response = (status, format!("{error}\n")).into_response();
            add_retry_after(&mut response, &error);
            response
        }
    };
    if format == Format::RemoteWrite2 {
        let headers = response.headers_mut();
        headers.insert(SAMPLES_WRITTEN, HeaderValue::from(counts.samples));
        headers.insert(HISTOGRAMS_WRITTEN, HeaderValue::from(counts.histograms));
        headers.insert(EXEMPLARS_WRITTEN, HeaderValue::from(counts.exemplars));
    }
    response
}
