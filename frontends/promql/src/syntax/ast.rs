//! The syntax tree: what was written, with the bytes it was written in, and nothing else.

use std::ops::Range;

use schemas::model::{Grouping, Matcher};

use super::functions::Signature;

/// An expression.
///
/// Two expressions are equal if they say the same, wherever they stand in their text.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// What is said.
    pub(crate) kind: ExprKind,
    /// The bytes of the text it was read from.
    pub(crate) span: Range<usize>,
    /// Nodes on the longest way down, this one included; at most `HEIGHT_MAX`.
    pub(crate) height: usize,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an expression says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// A constant number.
    Number(Number),
    /// A string literal: bytes, since escapes can write what is not UTF-8.
    Text(Vec<u8>),
    /// An instant selector.
    Selector(Box<Selector>),
    /// A range selector.
    Range(Box<RangeSelector>),
    /// An expression evaluated on a grid of its own.
    Subquery(Box<Subquery>),
    /// An expression in parentheses.
    Paren(Box<Expr>),
    /// `-x` or `+x`; a sign before a number is part of the number.
    Unary(Box<Unary>),
    /// Two operands and what is between them.
    Binary(Box<Binary>),
    /// An aggregation.
    Aggregate(Box<Aggregate>),
    /// A function call.
    Call(Box<Call>),
}

/// A number literal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    /// Its value; seconds if written as a duration.
    pub(crate) value: f64,
    /// Whether it was written as a duration such as `5m`.
    pub(crate) is_duration: bool,
}

impl PartialEq for Number {
    /// By bits, but all NaN are one: no NaN literal can be told from another.
    fn eq(&self, other: &Self) -> bool {
        let same_value = self.value.to_bits() == other.value.to_bits()
            || (self.value.is_nan() && other.value.is_nan());
        same_value && self.is_duration == other.is_duration
    }
}

/// `name{label="value"} @ 1 offset 5m`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector {
    /// The metric name, before the braces or quoted inside them.
    pub(crate) name: Option<String>,
    /// The matchers in braces, without the metric name.
    pub(crate) matchers: Vec<Matcher>,
    /// When it is evaluated.
    pub(crate) shift: Shift,
    /// What happens at the ends of a range.
    pub(crate) edge: Option<Edge>,
}

/// The modifiers `@` and `offset`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shift {
    /// `@`.
    pub(crate) at: Option<At>,
    /// `offset`; positive looks back.
    pub(crate) offset: Option<Duration>,
}

/// What `@` fixes the evaluation time to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Milliseconds since 1970.
    TimeMs(i64),
    /// The first step of the query.
    Start,
    /// The last step of the query.
    End,
}

/// How a function sees the ends of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The range begins with the last sample before it.
    Anchored,
    /// The values at both ends are interpolated.
    Smoothed,
}

impl Edge {
    /// The keyword.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Smoothed => "smoothed",
        }
    }
}

/// `selector[range]`; the modifiers after the bracket are the selector's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RangeSelector {
    /// Which series.
    pub(crate) selector: Selector,
    /// How far back.
    pub(crate) range: Duration,
}

/// `expr[range:step]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subquery {
    /// What is evaluated.
    pub(crate) input: Expr,
    /// How far back.
    pub(crate) range: Duration,
    /// Distance of two evaluations; absent means the default.
    pub(crate) step: Option<Duration>,
    /// When it is evaluated.
    pub(crate) shift: Shift,
}

/// A duration that is written as an expression; a bare number counts seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Duration {
    /// A number of seconds.
    Literal(Number),
    /// The step of the query.
    Step,
    /// The distance of the query's first and last step.
    Range,
    /// The lesser of two.
    Min(Box<Self>, Box<Self>),
    /// The greater of two.
    Max(Box<Self>, Box<Self>),
    /// The sign turned.
    Negate(Box<Self>),
    /// Arithmetic.
    Binary(BinaryOp, Box<Self>, Box<Self>),
    /// In parentheses.
    Paren(Box<Self>),
}

/// A sign before an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unary {
    /// `-` rather than `+`.
    pub(crate) negates: bool,
    /// What the sign stands before.
    pub(crate) operand: Expr,
}

/// `left op right`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binary {
    /// The operator.
    pub(crate) op: BinaryOp,
    /// `bool` follows the operator.
    pub(crate) returns_bool: bool,
    /// `on` or `ignoring`.
    pub(crate) matching: Option<MatchClause>,
    /// `fill`, `fill_left`, `fill_right`.
    pub(crate) fill: Fill,
    /// Left operand.
    pub(crate) left: Expr,
    /// Right operand.
    pub(crate) right: Expr,
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `unless`
    Unless,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `</`: keeps the observations of a histogram up to a value.
    TrimUpper,
    /// `>/`: keeps the observations of a histogram from a value on.
    TrimLower,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `atan2`
    Atan2,
    /// `^`
    Power,
}

impl BinaryOp {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Atan2 => "atan2",
            Self::Power => "^",
        }
    }

    /// How tightly it binds; a greater number binds tighter.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo | Self::Atan2 => UNARY_PRECEDENCE,
            Self::Power => 6,
        }
    }

    /// Whether it compares, and so may be followed by `bool`.
    pub(crate) fn is_comparison(self) -> bool {
        self.precedence() == 3 && !self.is_trim()
    }

    /// Whether it joins sets of series.
    pub(crate) fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    /// Whether it cuts histograms.
    pub(crate) fn is_trim(self) -> bool {
        matches!(self, Self::TrimUpper | Self::TrimLower)
    }

    /// Whether it is allowed inside a duration.
    pub(crate) fn is_arithmetic(self) -> bool {
        self.precedence() > 3
    }
}

/// How tightly a sign binds: as multiplication, so weaker than `^`.
pub(crate) const UNARY_PRECEDENCE: u8 = 5;

/// `on (a) group_left (b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchClause {
    /// `on` rather than `ignoring`.
    pub(crate) is_on: bool,
    /// The labels in parentheses.
    pub(crate) labels: Vec<String>,
    /// `group_left` or `group_right`.
    pub(crate) group: Option<Group>,
}

/// Which side has many series, and what they take from the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The left side has many (`group_left`).
    pub(crate) many_left: bool,
    /// Labels copied from the side of one.
    pub(crate) include: Vec<String>,
}

/// Values that stand in for missing partners.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Fill {
    /// Where the left side is missing.
    pub(crate) left: Option<Number>,
    /// Where the right side is missing.
    pub(crate) right: Option<Number>,
}

/// `sum by (a) (x)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    /// What is computed.
    pub(crate) op: Aggregator,
    /// The first of two arguments.
    pub(crate) parameter: Option<Expr>,
    /// What is folded.
    pub(crate) input: Expr,
    /// `by` or `without`.
    pub(crate) grouping: Option<Grouping>,
}

/// Aggregation operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregator {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `count`
    Count,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    TopK,
    /// `bottomk`
    BottomK,
    /// `quantile`
    Quantile,
    /// `count_values`
    CountValues,
    /// `limitk`
    LimitK,
    /// `limit_ratio`
    LimitRatio,
}

impl Aggregator {
    /// Every operator with its name.
    pub(crate) const ALL: [(&'static str, Self); 14] = [
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("min", Self::Min),
        ("max", Self::Max),
        ("count", Self::Count),
        ("group", Self::Group),
        ("stddev", Self::Stddev),
        ("stdvar", Self::Stdvar),
        ("topk", Self::TopK),
        ("bottomk", Self::BottomK),
        ("quantile", Self::Quantile),
        ("count_values", Self::CountValues),
        ("limitk", Self::LimitK),
        ("limit_ratio", Self::LimitRatio),
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    /// Whether it takes a parameter before its input.
    pub(crate) fn has_parameter(self) -> bool {
        matches!(
            self,
            Self::TopK
                | Self::BottomK
                | Self::Quantile
                | Self::CountValues
                | Self::LimitK
                | Self::LimitRatio
        )
    }
}

/// `function(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// What is called.
    pub(crate) function: &'static Signature,
    /// In order.
    pub(crate) arguments: Vec<Expr>,
}
