//! Why a request is not answered, and how each dialect says so.
//!
//! | kind | Prometheus | Loki, SQL | Tempo |
//! |---|---|---|---|
//! | `Invalid` | 400 bad_data | 400 | 400 |
//! | `Execution`, `Unsupported` | 422 execution | 400 | 400 |
//! | `Limit` | 422 execution | 400 | 422 |
//! | `NoTenant` | 401 | 401 | 401 |
//! | `NotFound` | 404 not_found | 404 | 404 |
//! | `TooMany` | 429 execution | 429 | 429 |
//! | `TooLarge` | 413 bad_data | 413 | 413 |
//! | `Timeout` | 503 timeout | 504 | 504 |
//! | `Unavailable` | 503 unavailable | 503 | 503 |
//! | `Internal` | 500 internal | 500 | 500 |

use std::fmt;
use std::marker::PhantomData;

use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemas::model::TenantError;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The request must change.
    Invalid,
    /// The query is well-formed, but has no answer over this data.
    Execution,
    /// The query is valid, but cannot be answered here yet.
    Unsupported,
    /// A limit was hit; the message names it.
    Limit,
    /// The tenant runs as many queries as it may; the same one may come again.
    TooMany,
    /// The request must name its tenant.
    NoTenant,
    /// There is no such thing.
    NotFound,
    /// The body is longer than allowed.
    TooLarge,
    /// The query took too long.
    Timeout,
    /// Try again later.
    Unavailable,
    /// A bug of ours.
    Internal,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<exec::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The request must change.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A parameter must change; worded as Prometheus does.
    pub(crate) fn invalid_parameter(name: &str, why: impl fmt::Display) -> Self {
        Self::invalid(format!("invalid parameter {name:?}: {why}"))
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// A bug of ours.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The body could not be read.
    pub(crate) fn from_body(rejection: &BytesRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
            _ => ErrorKind::Invalid,
        };
        Self::new(kind, rejection.body_text())
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Logs what the client is not told: the causes. Called once, where the error leaves.
    pub(crate) fn log(&self, what: &str) {
        let cause: &dyn std::error::Error = self;
        tracing::warn!(cause, "{what}");
    }

    /// The same error with more words before its message.
    pub(crate) fn context(self, before: impl fmt::Display) -> Self {
        Self { message: format!("{before}{}", self.message), ..self }
    }
}

impl From<TenantError> for Error {
    fn from(error: TenantError) -> Self {
        let kind = match error {
            TenantError::Missing => ErrorKind::NoTenant,
            _ => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<exec::Error> for Error {
    fn from(error: exec::Error) -> Self {
        let kind = match error.kind() {
            exec::ErrorKind::Invalid => ErrorKind::Execution,
            exec::ErrorKind::NotFound => ErrorKind::NotFound,
            exec::ErrorKind::Limit => ErrorKind::Limit,
            exec::ErrorKind::TooMany => ErrorKind::TooMany,
            exec::ErrorKind::Timeout => ErrorKind::Timeout,
            exec::ErrorKind::Unavailable => ErrorKind::Unavailable,
            exec::ErrorKind::Internal => ErrorKind::Internal,
        };
        Self { kind, message: error.to_string(), source: Some(error) }
    }
}

macro_rules! from_language {
    ($language:ident) => {
        impl From<$language::Error> for Error {
            fn from(error: $language::Error) -> Self {
                let kind = match error.kind() {
                    $language::ErrorKind::Parse | $language::ErrorKind::Invalid => {
                        ErrorKind::Invalid
                    }
                    $language::ErrorKind::Unsupported => ErrorKind::Unsupported,
                    $language::ErrorKind::Limit => ErrorKind::Limit,
                };
                Self::new(kind, error.to_string())
            }
        }
    };
}

from_language!(promql);
from_language!(logql);
from_language!(traceql);

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::internal(error.to_string())
    }
}

/// How an API words its errors.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// The answer to a request that failed.
    fn answer(error: &Error) -> Response;
}

/// An error on its way out, in the words of a dialect.
#[derive(Debug)]
pub(crate) struct Refusal<D> {
    error: Error,
    dialect: PhantomData<D>,
}

impl<D, E: Into<Error>> From<E> for Refusal<D> {
    fn from(error: E) -> Self {
        Self { error: error.into(), dialect: PhantomData }
    }
}

impl<D: Dialect> IntoResponse for Refusal<D> {
    fn into_response(self) -> Response {
        let response = D::answer(&self.error);
        if response.status().is_server_error() {
            self.error.log("a query failed");
        }
        response
    }
}

/// What a handler returns.
pub(crate) type Answered<D> = Result<Response, Refusal<D>>;

/// An error as plain text, as Loki and Tempo send it.
pub(crate) fn plain_text(status: StatusCode, error: &Error) -> Response {
    (status, [("x-content-type-options", "nosniff")], error.to_string()).into_response()
}

/// The status where nothing but the kind decides.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid | ErrorKind::Execution | ErrorKind::Unsupported | ErrorKind::Limit => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::NoTenant => StatusCode::UNAUTHORIZED,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
