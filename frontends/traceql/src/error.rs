//! Why a text is not a query we can answer.

use std::fmt;
use std::ops::Range;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not TraceQL.
    Parse,
    /// The text is TraceQL, but its types or arguments do not fit.
    Invalid,
    /// The query is valid, but cannot be answered here yet.
    Unsupported,
    /// A limit was hit; the message names it and its value.
    Limit,
}

/// Why a text is not a query we can answer, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    span: Range<usize>,
    line: usize,
    column: usize,
}

impl Error {
    pub(crate) fn parse(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Parse, span, message.into())
    }

    pub(crate) fn invalid(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, span, message.into())
    }

    pub(crate) fn unsupported(span: Range<usize>, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, span, format!("{what} not yet supported"))
    }

    pub(crate) fn limit(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, span, message.into())
    }

    fn new(kind: ErrorKind, span: Range<usize>, message: String) -> Self {
        Self { kind, message, span, line: 1, column: 1 }
    }

    /// Turns the byte span into the line and column of `text` that are shown.
    pub(crate) fn locate(mut self, text: &str) -> Self {
        let before = &text.as_bytes()[..self.span.start.min(text.len())];
        self.line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = String::from_utf8_lossy(&before[line_start..]);
        self.column = line.chars().count() + 1;
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The bytes of the query that the error is about.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for Error {
    /// Parse errors carry line and column, both counted from 1, as Tempo's do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Parse => {
                write!(f, "parse error at line {}, col {}: ", self.line, self.column)?;
            }
            ErrorKind::Invalid => f.write_str("invalid TraceQL query: ")?,
            ErrorKind::Unsupported | ErrorKind::Limit => {}
        }
        f.write_str(&self.message)
    }
}
