//! Why storage could not do what it was asked.

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request must change.
    Invalid,
    /// A limit was hit: try again later; the message names the limit and its value.
    Limit,
    /// The disk or the object store did not answer: try again later.
    Unavailable,
    /// What was to be replaced is not there any more: plan anew from a new snapshot.
    Conflict,
    /// Stored bytes are damaged; the message names the file.
    Damaged,
    /// A bug of ours.
    Internal,
}

/// Why storage could not do what it was asked.
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
