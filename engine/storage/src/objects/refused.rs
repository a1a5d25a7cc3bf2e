//! `Refused`: an object store's answer that is an error, kept as it was given.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use object_store::Error;

/// An object store's answer that is an error.
///
/// Whoever builds a [`super::Bucket`] over HTTP puts it among the sources of the errors it
/// returns, so that storage can tell a request to slow down from one that can never succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The store's own word for the error, such as `SlowDown`; empty if it has none.
    pub code: String,
    /// What it says to people; may be empty.
    pub message: String,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        Ok(())
    }
}

impl StdError for Refused {}

/// What to do about an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same request would fail again.
    Final,
    /// Worth another attempt.
    Retry {
        /// Whether the store may have done what it was asked.
        maybe_done: bool,
        /// How long the store wants to be left alone.
        after: Option<Duration>,
    },
}

/// What to do about an error.
///
/// An error of unknown origin is worth another attempt: attempts are few, and a lost write
/// costs more than a late error.
pub(super) fn judge(error: &Error) -> Verdict {
    match error {
        Error::Generic { .. } | Error::JoinError { .. } => {}
        _ => return Verdict::Final,
    }
    let Some(refused) = refused(error) else {
        return Verdict::Retry { maybe_done: true, after: None };
    };
    let maybe_done = match refused.status {
        // Not begun: throttled, or in conflict with another request under way.
        429 | 503 | 409 | 408 => false,
        400 if refused.code == "RequestTimeout" => false,
        500..=599 => true,
        _ => return Verdict::Final,
    };
    Verdict::Retry { maybe_done, after: refused.retry_after }
}

/// Whether a range begins behind the end of its object.
pub(super) fn is_out_of_range(error: &Error) -> bool {
    refused(error).is_some_and(|refused| refused.status == 416)
}

/// Why a request failed, in words: the store's own where it answered, else the innermost cause.
pub(super) fn cause(error: &Error) -> String {
    if let Some(refused) = refused(error) {
        return refused.to_string();
    }
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let (outer, inner) = (error.to_string(), innermost.to_string());
    if outer.contains(&inner) { outer } else { format!("{outer}: {inner}") }
}

fn refused(error: &Error) -> Option<&Refused> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests;
