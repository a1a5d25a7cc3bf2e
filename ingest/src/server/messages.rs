//! What is answered: the export responses and `google.rpc.Status`, as protobuf and as JSON.

use prost::Message;
use schemas::model::Signal;
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::ingest::Accepted;

/// `Export{Logs,Metrics,Trace}ServiceResponse`: all three have the same fields.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportResponse {
    /// Absent if everything was stored.
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// `Export{Logs,Metrics,Trace}PartialSuccess`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    /// Records that were not stored.
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    /// Why.
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    /// A gRPC status code.
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    /// For the sender's eyes.
    #[prost(string, tag = "2")]
    pub(super) message: String,
    /// A `RetryInfo` if the request may be sent again.
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(super) retry_delay: Option<Duration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Duration {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl From<Accepted> for ExportResponse {
    fn from(accepted: Accepted) -> Self {
        if accepted.rejected == 0 && accepted.reason.is_none() {
            return Self { partial_success: None };
        }
        Self {
            partial_success: Some(PartialSuccess {
                rejected: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
                error_message: accepted.reason.unwrap_or_default(),
            }),
        }
    }
}

impl ExportResponse {
    /// The message in protobuf's JSON mapping.
    pub(super) fn to_json(&self, signal: Signal) -> Vec<u8> {
        let rejected_name = match signal {
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
            Signal::Traces => "rejectedSpans",
        };
        let value = match &self.partial_success {
            None => json!({}),
            Some(partial) => json!({ "partialSuccess": {
                rejected_name: partial.rejected.to_string(),
                "errorMessage": partial.error_message,
            }}),
        };
        value.to_string().into_bytes()
    }
}

impl Status {
    /// What is told about an error.
    pub(super) fn of(error: &Error) -> Self {
        let details = error.retry_after().map(|delay| {
            let delay = Duration {
                seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(delay.subsec_nanos()).unwrap_or(0),
            };
            let info = RetryInfo { retry_delay: Some(delay) };
            Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec() }
        });
        Self {
            code: grpc_code(error.kind()) as i32,
            message: error.to_string(),
            details: details.into_iter().collect(),
        }
    }

    /// The message in protobuf's JSON mapping.
    pub(super) fn to_json(&self, error: &Error) -> Vec<u8> {
        let details: Vec<_> = error
            .retry_after()
            .map(|delay| {
                let delay = format!("{}s", delay.as_secs_f64());
                json!({ "@type": RETRY_INFO, "retryDelay": delay })
            })
            .into_iter()
            .collect();
        let mut value = json!({ "code": self.code, "message": self.message });
        if !details.is_empty() {
            value["details"] = details.into();
        }
        value.to_string().into_bytes()
    }
}

/// The gRPC status of an error. A sender tries `RESOURCE_EXHAUSTED` again only if `RetryInfo`
/// comes with it, and `UNAVAILABLE` in any case.
pub(super) fn grpc_code(kind: ErrorKind) -> tonic::Code {
    match kind {
        ErrorKind::Invalid | ErrorKind::Unsupported => tonic::Code::InvalidArgument,
        ErrorKind::Unauthenticated => tonic::Code::Unauthenticated,
        ErrorKind::TooLarge | ErrorKind::Limit => tonic::Code::ResourceExhausted,
        ErrorKind::Unavailable => tonic::Code::Unavailable,
        ErrorKind::Internal => tonic::Code::Internal,
    }
}
