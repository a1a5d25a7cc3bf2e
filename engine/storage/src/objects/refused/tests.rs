//! Tests of what is done about errors.

use super::*;

fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::Generic { store: "test", source: source.into() }
}

/// What a client makes of an error.
#[derive(Debug, thiserror::Error)]
#[error("cannot send")]
struct Sent(#[source] Refused);

/// As clients do: the refusal is a source of a source.
fn status(status: u16, code: &str) -> Error {
    let message = "said so".to_owned();
    let refused = Refused { status, code: code.to_owned(), message, retry_after: None };
    generic(Sent(refused))
}

#[test]
fn refusals_are_sorted_by_their_status() {
    for (error, maybe_done) in [
        (status(503, "SlowDown"), Some(false)),
        (status(429, ""), Some(false)),
        (status(409, "ConditionalRequestConflict"), Some(false)),
        (status(400, "RequestTimeout"), Some(false)),
        (status(500, "InternalError"), Some(true)),
        (status(504, ""), Some(true)),
        (generic("connection reset"), Some(true)),
        (status(400, "InvalidArgument"), None),
        (status(404, "NoSuchBucket"), None),
        (status(416, "InvalidRange"), None),
    ] {
        let expected = match maybe_done {
            None => Verdict::Final,
            Some(maybe_done) => Verdict::Retry { maybe_done, after: None },
        };
        assert_eq!(judge(&error), expected, "{error}");
    }
}

#[test]
fn answers_are_not_asked_for_again() {
    let source = || "x".into();
    let path = || "p".to_owned();
    for error in [
        Error::NotFound { path: path(), source: source() },
        Error::AlreadyExists { path: path(), source: source() },
        Error::Precondition { path: path(), source: source() },
        Error::PermissionDenied { path: path(), source: source() },
    ] {
        assert_eq!(judge(&error), Verdict::Final);
    }
}

#[test]
fn causes_are_told_in_the_words_of_the_store() {
    assert_eq!(cause(&status(503, "SlowDown")), "status 503: SlowDown: said so");
    assert!(cause(&generic("connection reset")).contains("connection reset"));
}
