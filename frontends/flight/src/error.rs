//! Why a call fails, and the gRPC code it fails with: the only place that picks codes.

use arrow::error::ArrowError;
use arrow_flight::error::FlightError;
use exec::ErrorKind;
use schemas::model::TenantError;
use tonic::{Code, Status};

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The engine could not answer.
    #[error("{0}")]
    Query(#[from] exec::Error),
    /// The call does not say whose data it is about, or in no name that there can be.
    #[error("{0}")]
    Tenant(#[from] TenantError),
    /// A ticket or handle that this service did not make.
    #[error("the ticket or handle is not one of ours")]
    BadTicket(#[source] prost::DecodeError),
    /// A ticket or handle of another tenant.
    #[error("the ticket or handle belongs to another tenant")]
    ForeignTicket,
    /// Something the protocol knows and this service does not.
    #[error("{0} is not supported: statements only read and have no parameters")]
    Unsupported(&'static str),
    /// A batch could not be brought into the client's types.
    #[error("the result cannot be encoded: {0}")]
    Encode(#[from] ArrowError),
}

impl Error {
    fn code(&self) -> Code {
        match self {
            Self::Query(error) => match error.kind() {
                ErrorKind::Invalid => Code::InvalidArgument,
                ErrorKind::NotFound => Code::NotFound,
                ErrorKind::Limit | ErrorKind::TooMany => Code::ResourceExhausted,
                ErrorKind::Timeout => Code::DeadlineExceeded,
                ErrorKind::Unavailable => Code::Unavailable,
                ErrorKind::Internal => Code::Internal,
            },
            Self::Tenant(TenantError::Missing) => Code::Unauthenticated,
            Self::Tenant(_) | Self::BadTicket(_) => Code::InvalidArgument,
            Self::ForeignTicket => Code::PermissionDenied,
            Self::Unsupported(_) => Code::Unimplemented,
            Self::Encode(_) => Code::Internal,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = error.code();
        if code == Code::Internal {
            tracing::error!(error = &error as &dyn std::error::Error, "a Flight SQL call failed");
        }
        Self::new(code, error.to_string())
    }
}

impl From<Error> for FlightError {
    fn from(error: Error) -> Self {
        Self::Tonic(Box::new(error.into()))
    }
}

#[cfg(test)]
mod tests;
