//! Expressions over one row: a log record or a span.
//!
//! Values are typed. Comparing two values of different types is never true (TraceQL), except that
//! ints, floats and durations compare as numbers. A comparison with an absent value is false,
//! also for `!=`; LogQL's rule that an absent label is the empty string is expressed by
//! [`Expr::Label`], whose text is never absent.

use std::net::IpAddr;

use regex::Regex;
use schemas::model::Attribute;

use crate::node::PatternPart;

/// A question to one row.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The text of a log record as the pipeline has it at this point.
    Line,
    /// A LogQL label by the names and precedence of the pipeline, converted from its text.
    ///
    /// Parsed labels stand before structured metadata, that before stream labels. A text that
    /// cannot be converted keeps the row and sets `__error__` to `LabelFilterErr`.
    Label {
        /// Name as the query writes it.
        name: String,
        /// What the text is read as.
        read_as: LabelType,
    },
    /// A typed attribute of a span (or of its resource, scope, events, links).
    ///
    /// Event and link attributes have several values; a comparison holds if one event satisfies
    /// it, and all such comparisons of one `And` must hold for the same event.
    Attribute(Attribute),
    /// A property of a span or its trace that every span has.
    Intrinsic(Intrinsic),
    /// A constant.
    Literal(Literal),
    /// `left op right`, boolean.
    Compare {
        /// The comparison.
        op: CompareOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `left op right`, numeric.
    Arithmetic {
        /// The operation.
        op: ArithmeticOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// Numeric negation.
    Negate(Box<Expr>),
    /// Whether the text of `input` contains `needle`, compared byte by byte.
    Contains {
        /// An expression with a text.
        input: Box<Expr>,
        /// Literal to look for; an empty one is always contained.
        needle: String,
    },
    /// Whether the text of `input` matches; the pattern is anchored or not as it was compiled.
    Matches {
        /// An expression with a text.
        input: Box<Expr>,
        /// Compiled by `schemas::model::{compile_anchored, compile_search}`.
        pattern: Regex,
    },
    /// Whether the whole line follows a LogQL line pattern (`|>`).
    ///
    /// A capture takes at least one byte, up to the first place where the next literal stands;
    /// what follows the last part does not match.
    LinePattern(Vec<PatternPart>),
    /// Whether the text of `input` holds an IP address of the closed range from `first` to `last`,
    /// both of one family (LogQL's `ip()`).
    ContainsAddress {
        /// An expression with a text.
        input: Box<Expr>,
        /// Least address.
        first: IpAddr,
        /// Greatest address.
        last: IpAddr,
    },
    /// Whether the value is present, with whatever type.
    Exists(Box<Expr>),
    /// All must hold; an empty list holds.
    And(Vec<Expr>),
    /// One must hold; an empty list does not.
    Or(Vec<Expr>),
    /// Must not hold.
    Not(Box<Expr>),
}

/// What the text of a label is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelType {
    /// The text itself; absent is the empty text.
    Text,
    /// A decimal number.
    Number,
    /// A Go duration such as `1m30s`, in seconds.
    Duration,
    /// A size such as `5KiB`, in bytes.
    Bytes,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// Integer.
    Int(i64),
    /// Floating-point number.
    Float(f64),
    /// Boolean.
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// Span status: 0 unset, 1 ok, 2 error.
    Status(i32),
    /// Span kind: 0 unspecified 1 internal 2 server 3 client 4 producer 5 consumer.
    Kind(i32),
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterEqual,
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArithmeticOp {
    /// Sum.
    Add,
    /// Difference.
    Subtract,
    /// Product.
    Multiply,
    /// Quotient.
    Divide,
    /// Quotient, NaN where the divisor is zero (LogQL).
    DivideOrNan,
    /// Remainder with the sign of the dividend.
    Modulo,
    /// Power.
    Power,
    /// Arc tangent of `left / right` in the right quadrant.
    Atan2,
}

impl ArithmeticOp {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide | Self::DivideOrNan => "/",
            Self::Modulo => "%",
            Self::Power => "^",
            Self::Atan2 => "atan2",
        }
    }
}

impl CompareOp {
    /// The operator as PromQL writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }
}

/// Properties of a span, its trace or its scope that are not attributes. Names as in TraceQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intrinsic {
    /// Span name, text.
    Name,
    /// Span duration in nanoseconds.
    Duration,
    /// Span status.
    Status,
    /// Status message, text.
    StatusMessage,
    /// Span kind.
    Kind,
    /// Name of the trace's root span, text; absent while no root is known.
    RootName,
    /// Service of the trace's root span, text; absent while no root is known.
    RootServiceName,
    /// Duration of the whole trace in nanoseconds.
    TraceDuration,
    /// Trace id, lower-case hex text.
    TraceId,
    /// Span id, lower-case hex text.
    SpanId,
    /// Parent span id, lower-case hex text; empty for a root.
    ParentId,
    /// Number of direct children.
    ChildCount,
    /// Nested-set number of the span's left edge.
    NestedSetLeft,
    /// Nested-set number of the span's right edge.
    NestedSetRight,
    /// Left edge of the parent; -1 for a root.
    NestedSetParent,
    /// Name of an event, text.
    EventName,
    /// Nanoseconds from the span's start to an event.
    EventTimeSinceStart,
    /// Trace id of a link, hex text.
    LinkTraceId,
    /// Span id of a link, hex text.
    LinkSpanId,
    /// Name of the instrumentation scope, text.
    InstrumentationName,
    /// Version of the instrumentation scope, text.
    InstrumentationVersion,
    /// W3C trace state, text.
    TraceState,
}

impl CompareOp {
    /// Whether `left op right` holds; a NaN equals nothing, itself included.
    pub fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}

impl ArithmeticOp {
    /// `left op right` in IEEE 754 arithmetic.
    pub fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::DivideOrNan if right == 0.0 => f64::NAN,
            Self::Divide | Self::DivideOrNan => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
            Self::Atan2 => left.atan2(right),
        }
    }
}
