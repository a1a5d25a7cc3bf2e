//! Tokens: the words and signs of a query.

use std::ops::Range;

use super::ast::{Aggregator, BinaryOp};

/// A word or sign with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Its bytes in the text.
    pub(crate) span: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name or a keyword; which of the two it is depends on where it stands.
    Word,
    /// A name with a colon in it, which only a metric can have.
    MetricName,
    /// A number, `Inf` and `NaN` included.
    Number,
    /// A duration such as `1h30m`.
    Duration,
    /// A string literal with its quotes.
    Text,
    /// An operator that is not a word.
    Op(BinaryOp),
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexNoMatch,
    /// `@`
    At,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `:` within brackets.
    Colon,
    /// The end of the text.
    End,
    /// Something that is no token; nothing follows it.
    Invalid(String),
}

/// Words with a meaning that are neither operators nor aggregators.
pub(crate) const KEYWORDS: &[&str] = &[
    "anchored",
    "bool",
    "by",
    "end",
    "fill",
    "fill_left",
    "fill_right",
    "group_left",
    "group_right",
    "ignoring",
    "offset",
    "on",
    "range",
    "smoothed",
    "start",
    "step",
    "without",
];

/// The operator that a word is, in whatever case.
pub(crate) fn word_operator(word: &str) -> Option<BinaryOp> {
    [BinaryOp::And, BinaryOp::Or, BinaryOp::Unless, BinaryOp::Atan2]
        .into_iter()
        .find(|op| word.eq_ignore_ascii_case(op.name()))
}

/// The aggregator that a word is, in whatever case.
pub(crate) fn aggregator(word: &str) -> Option<Aggregator> {
    Aggregator::ALL
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, aggregator)| *aggregator)
}

/// A token as error messages name it; `written` is its text.
pub(crate) fn describe(kind: &TokenKind, written: &str) -> String {
    match kind {
        TokenKind::Word => describe_word(written),
        TokenKind::MetricName => format!("metric identifier {}", shortened(written)),
        TokenKind::Number => format!("number {}", shortened(written)),
        TokenKind::Duration => format!("duration {}", shortened(written)),
        TokenKind::Text => format!("string {}", shortened(written)),
        TokenKind::Op(op) => format!("<op:{}>", op.name()),
        TokenKind::At => "<op:@>".to_owned(),
        TokenKind::RegexMatch => "<op:=~>".to_owned(),
        TokenKind::RegexNoMatch => "<op:!~>".to_owned(),
        TokenKind::End => "end of input".to_owned(),
        TokenKind::Invalid(message) => message.clone(),
        TokenKind::Assign
        | TokenKind::LeftParen
        | TokenKind::RightParen
        | TokenKind::LeftBrace
        | TokenKind::RightBrace
        | TokenKind::LeftBracket
        | TokenKind::RightBracket
        | TokenKind::Comma
        | TokenKind::Colon => format!("{written:?}"),
    }
}

fn describe_word(written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    if word_operator(&lower).is_some() {
        format!("<op:{lower}>")
    } else if aggregator(&lower).is_some() {
        format!("<aggr:{lower}>")
    } else if KEYWORDS.contains(&lower.as_str()) {
        format!("<{lower}>")
    } else {
        format!("identifier {written:?}")
    }
}

/// Messages quote at most so many characters of a token.
const QUOTED_CHARS_MAX: usize = 10;

fn shortened(written: &str) -> String {
    match written.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &written[..end]),
        None => format!("{written:?}"),
    }
}
