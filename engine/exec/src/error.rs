//! Why a query could not be answered.

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The query must change.
    Invalid,
    /// The thing asked for does not exist.
    NotFound,
    /// A limit was hit; the message names it and its value.
    Limit,
    /// The query took too long.
    Timeout,
    /// Try again later.
    Unavailable,
    /// A bug of ours.
    Internal,
}

/// Why a query could not be answered.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error with the error that caused it.
    pub fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        use storage::ErrorKind as S;
        let kind = match error.kind() {
            S::Invalid => ErrorKind::Invalid,
            S::Limit => ErrorKind::Limit,
            S::Unavailable | S::Conflict => ErrorKind::Unavailable,
            S::Damaged | S::Internal => ErrorKind::Internal,
        };
        Self::with_source(kind, error.to_string(), error)
    }
}
