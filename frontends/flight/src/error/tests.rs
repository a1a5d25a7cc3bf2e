//! Each kind has its code.

use exec::ErrorKind;
use tonic::{Code, Status};

use super::Error;

#[test]
fn kinds_become_codes() {
    let expected = [
        (ErrorKind::Invalid, Code::InvalidArgument),
        (ErrorKind::NotFound, Code::NotFound),
        (ErrorKind::Limit, Code::ResourceExhausted),
        (ErrorKind::Timeout, Code::DeadlineExceeded),
        (ErrorKind::Unavailable, Code::Unavailable),
        (ErrorKind::Internal, Code::Internal),
    ];
    for (kind, code) in expected {
        let status = Status::from(Error::from(exec::Error::new(kind, "why")));
        assert_eq!((status.code(), status.message()), (code, "why"));
    }
}

#[test]
fn a_foreign_ticket_is_a_matter_of_permission() {
    assert_eq!(Status::from(Error::ForeignTicket).code(), Code::PermissionDenied);
}
