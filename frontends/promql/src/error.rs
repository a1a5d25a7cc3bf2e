//! Why a query was refused.

use std::ops::Range;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not PromQL, or its types do not fit.
    Parse,
    /// The query parses, but asks for something that has no answer.
    Invalid,
    /// The query is valid PromQL, but not supported here yet.
    Unsupported,
    /// A limit was hit; the message names it and its value.
    Limit,
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    span: Option<Range<usize>>,
}

impl Error {
    /// The text is not PromQL; the message opens with the line and column of `span` in `text`.
    pub(crate) fn parse(text: &str, span: Range<usize>, message: &str) -> Self {
        let (line, column) = line_and_column(text, span.start);
        let message = format!("{line}:{column}: parse error: {message}");
        Self { kind: ErrorKind::Parse, message, span: Some(span) }
    }

    /// A limit was hit while the text was read.
    pub(crate) fn limit(text: &str, span: Range<usize>, message: &str) -> Self {
        Self { kind: ErrorKind::Limit, ..Self::parse(text, span, message) }
    }

    /// The query parses, but asks for something that has no answer.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into(), span: None }
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The bytes of the text that are at fault, where that is known.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// This error, at `span` unless it already has a place.
    pub(crate) fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl From<plan::Error> for Error {
    fn from(error: plan::Error) -> Self {
        let kind = match error.kind() {
            plan::ErrorKind::Invalid => ErrorKind::Invalid,
            plan::ErrorKind::Unsupported => ErrorKind::Unsupported,
            plan::ErrorKind::Limit => ErrorKind::Limit,
        };
        Self { kind, message: error.to_string(), span: None }
    }
}

/// Line and column of a byte, both from 1; the column counts bytes, as Prometheus does.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    (line, before.len() - line_start + 1)
}
