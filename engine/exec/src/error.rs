//! Why a query could not be answered.

use datafusion::error::DataFusionError;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The query must change.
    Invalid,
    /// The thing asked for does not exist.
    NotFound,
    /// A limit was hit; the message names it and its value.
    Limit,
    /// The tenant runs as many queries as it may; the same one may come again.
    TooMany,
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

/// Wraps what DataFusion says, by the first of its causes that tells what the caller can do: an
/// error may come out of several operators and readers, each of which wraps it again.
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some((kind, message)) = meaning(inner) {
            return Error::with_source(kind, message, error);
        }
        cause = inner.source();
    }
    let text = error.strip_backtrace();
    // The reader of Parquet metadata keeps the text of an error only; it names our store.
    match text.split_once("Generic lake error: ") {
        Some((_, said)) => {
            let message = format!("the lake cannot be read: {said}");
            Error::with_source(ErrorKind::Unavailable, message, error)
        }
        None => Error::with_source(ErrorKind::Internal, text, error),
    }
}

/// What one error of a chain tells by itself.
fn meaning(error: &(dyn std::error::Error + 'static)) -> Option<(ErrorKind, String)> {
    use DataFusionError as D;
    if let Some(error) = error.downcast_ref::<Error>() {
        return Some((error.kind, error.message.clone()));
    }
    // It can be asked again, which a bug of ours cannot.
    if let Some(error) = error.downcast_ref::<storage::Error>() {
        let kind = match error.kind() {
            storage::ErrorKind::Unavailable => ErrorKind::Unavailable,
            storage::ErrorKind::Limit => ErrorKind::Limit,
            _ => ErrorKind::Internal,
        };
        return Some((kind, format!("the lake cannot be read: {error}")));
    }
    match error.downcast_ref::<DataFusionError>()? {
        D::ResourcesExhausted(message) => {
            Some((ErrorKind::Limit, format!("the query needs too much memory: {message}")))
        }
        D::Plan(message) | D::NotImplemented(message) => {
            Some((ErrorKind::Invalid, message.clone()))
        }
        error @ (D::SQL(..) | D::SchemaError(..)) => {
            Some((ErrorKind::Invalid, error.strip_backtrace()))
        }
        D::ObjectStore(error) => {
            Some((ErrorKind::Unavailable, format!("the object store did not answer: {error}")))
        }
        _ => None,
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

#[cfg(test)]
mod tests;
