//! Spansets: per trace, the spans that were selected.

use super::Node;
use crate::expr::{CompareOp, Expr};

/// Gathers the selected spans of each trace: TraceQL's `{ … }`.
#[derive(Clone, Debug)]
pub struct Spanset {
    /// Rows of spans: a [`super::Filter`] over a [`super::Scan`], or the scan itself.
    pub input: Box<Node>,
    /// Expressions whose values are returned with each span, beside those of the filter;
    /// TraceQL's `select()`.
    pub select: Vec<Expr>,
}

/// Combines, within each trace, the spans of two inputs.
#[derive(Clone, Debug)]
pub struct SpansetBinary {
    /// Left operand.
    pub left: Box<Node>,
    /// Right operand.
    pub right: Box<Node>,
    /// How they combine.
    pub op: SpansetOp,
}

/// How two spansets of a trace combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpansetOp {
    /// Both must select a span; the result is the union of their spans.
    And,
    /// One must select a span; the result is the union of their spans.
    Or,
    /// Right spans that are a child of a left span.
    Child,
    /// Right spans that are a parent of a left span.
    Parent,
    /// Right spans that are a descendant of a left span.
    Descendant,
    /// Right spans that are an ancestor of a left span.
    Ancestor,
    /// Right spans that have a left span as sibling.
    Sibling,
    /// Right spans that have no left span so related; all of them if the left has none.
    Unrelated(SpansetRelation),
    /// Both spans of every pair so related.
    Pairs(SpansetRelation),
}

/// What a right span is to a left one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpansetRelation {
    /// Its child.
    Child,
    /// Its parent.
    Parent,
    /// Below it, however far.
    Descendant,
    /// Above it, however far.
    Ancestor,
    /// Another span with the same parent.
    Sibling,
}

/// Keeps the spansets whose aggregate satisfies a comparison, such as `| count() > 2`.
#[derive(Clone, Debug)]
pub struct SpansetFilter {
    /// Spansets.
    pub input: Box<Node>,
    /// What is computed over the spans of a spanset.
    pub aggregate: SpansetAggregate,
    /// The comparison.
    pub op: CompareOp,
    /// A constant number, duration included.
    pub value: Expr,
}

/// A number computed over the spans of a spanset.
#[derive(Clone, Debug)]
pub enum SpansetAggregate {
    /// Number of spans.
    Count,
    /// Mean of a numeric expression.
    Avg(Expr),
    /// Least value of a numeric expression.
    Min(Expr),
    /// Greatest value of a numeric expression.
    Max(Expr),
    /// Sum of a numeric expression.
    Sum(Expr),
}
