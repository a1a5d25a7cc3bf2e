//! Why a request was refused as a whole, sorted by what the sender does next.

use std::time::Duration;

use schemas::model::TenantError;

/// What the sender can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed: sending it again will not help.
    Invalid,
    /// The request says not who sends it, though multi-tenancy is on.
    Unauthenticated,
    /// The request, or what it inflates to, is larger than a limit.
    TooLarge,
    /// The content type or the content encoding is not known here.
    Unsupported,
    /// Too much is under way: the same request will be taken later.
    Limit,
    /// The disk or the object store does not answer: the same request will be taken later.
    Unavailable,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 7] = [
        Self::Invalid,
        Self::Unauthenticated,
        Self::TooLarge,
        Self::Unsupported,
        Self::Limit,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Snake-case name, as it stands in metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Limit => "limit",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Place in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Why a request was refused as a whole; nothing of it was stored.
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

    /// What the sender can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// How long the sender should wait before it sends the same request again; `None` if that
    /// would not help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::Limit => Some(Duration::from_secs(1)),
            ErrorKind::Unavailable => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}

impl From<TenantError> for Error {
    fn from(error: TenantError) -> Self {
        let kind = match error {
            TenantError::Missing => ErrorKind::Unauthenticated,
            _ => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        let kind = match error.kind() {
            storage::ErrorKind::Invalid => ErrorKind::Invalid,
            storage::ErrorKind::Limit => ErrorKind::Limit,
            storage::ErrorKind::Unavailable | storage::ErrorKind::Conflict => {
                ErrorKind::Unavailable
            }
            storage::ErrorKind::Damaged | storage::ErrorKind::Internal => ErrorKind::Internal,
        };
        Self::with_source(kind, error.to_string(), error)
    }
}
