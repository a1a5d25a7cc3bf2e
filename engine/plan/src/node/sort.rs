//! `Sort` and `Limit`: order and number of results.

use schemas::model::Direction;

use super::Node;

/// Orders the result.
#[derive(Clone, Debug)]
pub struct Sort {
    /// Rows, series of one step, or spansets.
    pub input: Box<Node>,
    /// By what.
    pub by: SortBy,
}

/// What a result is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Rows and traces by their time; ties in no particular order.
    Time(Direction),
    /// Series by the value of their only step, least first; NaN last.
    Value,
    /// Series by the value of their only step, greatest first; NaN last.
    ValueDescending,
    /// Series as the input gives them: those of `topk` and `bottomk` best first in each group.
    Arrival,
    /// Series by labels in natural order, then by all labels.
    Labels(Vec<String>, Direction),
}

/// At most so many results, the first ones of the input's order.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Anything.
    pub input: Box<Node>,
    /// Rows, series or traces.
    pub count: usize,
}
