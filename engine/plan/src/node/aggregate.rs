//! `Aggregate`: series folded into groups.

use schemas::model::Grouping;

use super::Node;
use crate::Position;

/// Folds, at each step, the values of the series of a group into one value, or picks some.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Series.
    pub input: Box<Node>,
    /// What is computed.
    pub op: AggregateOp,
    /// Scalar parameter of `topk`, `bottomk`, `quantile`, `limitk`, `limit_ratio`.
    pub parameter: Option<Box<Node>>,
    /// Which labels a group keeps.
    pub grouping: Grouping,
    /// Where remarks belong; without it none are made.
    pub places: Option<AggregatePlaces>,
}

/// Where the parts of an aggregation stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregatePlaces {
    /// The aggregation itself.
    pub whole: Position,
    /// What is aggregated.
    pub input: Position,
    /// The parameter; the input where there is none.
    pub parameter: Position,
}

/// What is computed over a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    /// Sum, compensated.
    Sum,
    /// Mean.
    Avg,
    /// Least; NaN only if all are.
    Min,
    /// Greatest; NaN only if all are.
    Max,
    /// Number of series with a value.
    Count,
    /// 1 where a series has a value.
    Group,
    /// Population standard deviation.
    Stddev,
    /// Population variance.
    Stdvar,
    /// The series with the greatest values, with their own labels.
    TopK,
    /// The series with the least values, with their own labels.
    BottomK,
    /// The quantile given by the parameter.
    Quantile,
    /// Number of series per value; the value becomes this label.
    CountValues(String),
    /// Some series, chosen by hash, with their own labels.
    LimitK,
    /// A share of the series, chosen by hash, with their own labels.
    LimitRatio,
}
