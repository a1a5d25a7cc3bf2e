//! Why a query was refused, in the words that clients of Loki know.

use std::fmt;
use std::ops::Range;

use schemas::model::PatternError;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not LogQL.
    Parse,
    /// The text is LogQL, but says something that has no meaning.
    Invalid,
    /// The query is valid, but not supported here yet.
    Unsupported,
    /// A limit was hit; the message names it and its value.
    Limit,
}

/// Why a query was refused.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    place: Option<Place>,
}

/// Where in the text an error lies.
#[derive(Clone, Debug)]
struct Place {
    span: Range<usize>,
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
}

impl Error {
    /// The text does not follow the grammar at `span`, a range of bytes of `text`.
    pub(crate) fn parse(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let place = Place::new(text, span);
        Self { kind: ErrorKind::Parse, message: message.into(), place: Some(place) }
    }

    /// The query says something that has no meaning.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into(), place: None }
    }

    /// A pattern was refused.
    pub(crate) fn pattern(error: PatternError) -> Self {
        let message = match &error {
            PatternError::Invalid { source, .. } => {
                format!("error parsing regexp: {error}: {source}")
            }
            PatternError::TooLong { .. } => error.to_string(),
        };
        Self::invalid(message)
    }

    /// The query is valid, but not supported here yet.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unsupported, message: message.into(), place: None }
    }

    /// A limit was hit.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Limit, message: message.into(), place: None }
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The bytes of the text at fault, where they are known.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.as_ref().map(|place| place.span.clone())
    }
}

impl Place {
    fn new(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            span: span.start..span.end.min(text.len()).max(span.start),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.kind) {
            (Some(place), _) => {
                write!(f, "parse error at line {}, col {}: ", place.line, place.column)?;
            }
            (None, ErrorKind::Parse | ErrorKind::Invalid) => f.write_str("parse error : ")?,
            (None, ErrorKind::Unsupported | ErrorKind::Limit) => {}
        }
        f.write_str(&self.message)
    }
}
