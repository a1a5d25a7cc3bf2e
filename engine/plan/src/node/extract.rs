//! `Extract`: labels parsed from log lines.

use regex::Regex;

use super::Node;

/// Adds labels parsed from the line; rows that cannot be parsed are kept and get `__error__`.
#[derive(Clone, Debug)]
pub struct Extract {
    /// Log rows.
    pub input: Box<Node>,
    /// How the line is read.
    pub parser: Parser,
}

/// How a line is read.
#[derive(Clone, Debug)]
pub enum Parser {
    /// A JSON object, nested keys joined by `_`; with expressions only these are taken.
    Json(Vec<LabelExpression>),
    /// `key=value` pairs.
    Logfmt {
        /// Only these keys are taken; none means all.
        expressions: Vec<LabelExpression>,
        /// A malformed pair is an error instead of being skipped.
        strict: bool,
        /// Keys without a value become labels with an empty value.
        keep_empty: bool,
    },
    /// Named groups of a regular expression, searched anywhere in the line.
    Regexp(Regex),
    /// LogQL pattern: literals and captures in turn; `None` is an unnamed capture `<_>`.
    Pattern(Vec<PatternPart>),
    /// A JSON object written by Promtail's `pack`: strings become labels, `_entry` the line.
    Unpack,
}

/// One piece of a LogQL pattern expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternPart {
    /// Text that must follow.
    Literal(String),
    /// Everything up to the next literal; without a name it is dropped.
    Capture(Option<String>),
}

/// `label="expression"` of a parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelExpression {
    /// Name of the label that is added.
    pub label: String,
    /// Path of keys and indexes within JSON, a single key within logfmt.
    pub path: Vec<PathSegment>,
}

/// One step of a path into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSegment {
    /// A key of an object.
    Key(String),
    /// An index of an array.
    Index(usize),
}
