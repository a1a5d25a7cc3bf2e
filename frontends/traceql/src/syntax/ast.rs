//! The tree of a query.

use std::ops::Range;

use plan::expr::{CompareOp, Intrinsic};
use schemas::model::Attribute;

/// The bytes a node was read from. Spans are all equal: two trees are the same query wherever
/// their texts were cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span(pub(crate) Range<usize>);

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) root: Root,
    pub(crate) hints: Vec<Hint>,
}

/// What a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Root {
    /// Spansets: a search.
    Pipeline(Vec<Stage>),
    /// Series.
    Metrics(Metrics),
}

/// `name=value` of `with(…)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hint {
    pub(crate) name: String,
    pub(crate) value: Literal,
}

/// One stage of a pipeline over the spansets of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    Spansets(SpansetExpr),
    ScalarFilter(ScalarFilter),
    By(Field),
    Coalesce(Span),
    Select(Vec<Field>, Span),
}

/// An expression that selects spans.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SpansetExpr {
    /// `{ field }`; without a field every span.
    Filter(Option<Field>),
    /// `( … | … )`; never a lone spanset expression.
    Pipeline(Vec<Stage>),
    Binary {
        op: SpansetOp,
        left: Box<SpansetExpr>,
        right: Box<SpansetExpr>,
        span: Span,
    },
}

/// How the spans of two operands combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpansetOp {
    And,
    Or,
    Structural(Relation, Mode),
}

/// How a right span relates to a left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `>`
    Child,
    /// `<`
    Parent,
    /// `>>`
    Descendant,
    /// `<<`
    Ancestor,
    /// `~`
    Sibling,
}

/// Which spans a structural operator returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Right spans that are related to a left one.
    Related,
    /// `!`: right spans that are related to none.
    Unrelated,
    /// `&`: both spans of every related pair.
    Union,
}

/// A comparison between numbers computed over a spanset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScalarFilter {
    pub(crate) op: CompareOp,
    pub(crate) left: Scalar,
    pub(crate) right: Scalar,
    pub(crate) span: Span,
}

/// A number computed over a spanset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Number(Number),
    /// `count()` has no field, the others have one.
    Aggregate(AggregateFunction, Option<Field>, Span),
    /// `( pipeline | scalar )`
    Pipeline(Vec<Stage>, Box<Scalar>),
    Binary {
        op: ArithmeticOp,
        left: Box<Scalar>,
        right: Box<Scalar>,
    },
}

/// What is computed over the spans of a spanset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateFunction {
    Count,
    Avg,
    Min,
    Max,
    Sum,
}

/// A constant number outside braces, folded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
}

/// Series, and what is done to them step by step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) source: MetricSource,
    pub(crate) second: Vec<SecondStage>,
}

/// Where series come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MetricSource {
    Pipeline { stages: Vec<Stage>, function: MetricFunction, by: Vec<Field>, span: Span },
    Binary { op: ArithmeticOp, left: Box<MetricOperand>, right: Box<MetricOperand>, span: Span },
}

/// An operand of metrics math.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MetricOperand {
    Metrics(Metrics),
    Number(Number),
}

/// What is computed from the spans of an interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MetricFunction {
    Rate,
    CountOverTime,
    /// `min_over_time` and its kin; never `Count`.
    OverTime(AggregateFunction, Field),
    QuantileOverTime(Field, Vec<Number>),
    HistogramOverTime(Field),
    /// The filter, and up to three numbers: top, start, end.
    Compare(Option<Field>, Vec<i64>),
}

/// A step over finished series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SecondStage {
    TopK(i64, Span),
    BottomK(i64, Span),
    Filter(CompareOp, Number, Span),
}

/// An expression over one span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) kind: FieldKind,
    pub(crate) span: Span,
}

/// What a field expression is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldKind {
    Literal(Literal),
    Attribute(Attribute),
    /// An attribute of the parent span.
    ParentAttribute(Attribute),
    /// `parent` alone.
    Parent,
    Intrinsic(Intrinsic),
    Negate(Box<Field>),
    Not(Box<Field>),
    Binary {
        op: FieldOp,
        left: Box<Field>,
        right: Box<Field>,
    },
    /// `a && b && …`, at least two.
    And(Vec<Field>),
    /// `a || b || …`, at least two.
    Or(Vec<Field>),
}

/// Operators between two values of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldOp {
    Compare(CompareOp),
    Regex,
    NotRegex,
    Arithmetic(ArithmeticOp),
}

/// Arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

/// A constant inside braces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Nil,
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds.
    Duration(i64),
    /// As in [`plan::expr::Literal::Status`].
    Status(i32),
    /// As in [`plan::expr::Literal::Kind`].
    Kind(i32),
}
