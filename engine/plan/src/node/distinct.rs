//! `Distinct`: which names, values and label sets occur.

use schemas::model::Attribute;

use super::Node;
use crate::expr::Intrinsic;

/// The distinct names or sets among the rows of the inputs, sorted.
#[derive(Clone, Debug)]
pub struct Distinct {
    /// Scans; the result is the union over them. A filter over a scan of spans is allowed.
    pub inputs: Vec<Node>,
    /// What is listed.
    pub of: DistinctOf,
}

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DistinctOf {
    /// Label names of series or streams.
    LabelNames,
    /// Values of one label of series or streams.
    LabelValues(String),
    /// Whole label sets of series or streams.
    LabelSets,
    /// Keys of span attributes per scope.
    AttributeKeys,
    /// Typed values of a span attribute.
    AttributeValues(Attribute),
    /// Values of an intrinsic of spans.
    IntrinsicValues(Intrinsic),
}
