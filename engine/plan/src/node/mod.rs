//! The nodes of the plan, one file per family.
//!
//! | node | input → output | languages |
//! |---|---|---|
//! | [`Scan`] | – → rows | all |
//! | [`Filter`], [`Extract`], [`Format`] | rows → rows | LogQL, TraceQL |
//! | [`Sample`] | metric rows → series | PromQL |
//! | [`Window`] | rows or series → series | PromQL, LogQL, TraceQL metrics |
//! | [`Aggregate`], [`Binary`], [`Call`] | series → series | PromQL, LogQL |
//! | [`Spanset`] | span rows → spansets | TraceQL |
//! | [`SpansetBinary`], [`SpansetFilter`] | spansets → spansets | TraceQL |
//! | [`Sort`], [`Limit`] | keeps the shape | all |
//! | [`Distinct`] | rows → names or label sets | metadata of all |

mod aggregate;
mod binary;
mod call;
mod distinct;
mod extract;
mod filter;
mod format;
mod sample;
mod scan;
mod sort;
mod spanset;
mod window;

pub use aggregate::{Aggregate, AggregateOp, AggregatePlaces};
pub use binary::{Binary, BinaryOp, Cardinality, Fill, MatchOn, Matching};
pub use call::{Call, Function, HistogramNumber, MapFunction};
pub use distinct::{Distinct, DistinctOf};
pub use extract::{Extract, LabelExpression, Parser, PathSegment, PatternPart};
pub use filter::Filter;
pub use format::{Format, LabelFormat, LabelPick, LabelSource, Template, TemplatePart};
pub use sample::Sample;
pub use scan::Scan;
pub use sort::{Limit, Sort, SortBy};
pub use spanset::{
    Spanset, SpansetAggregate, SpansetBinary, SpansetFilter, SpansetOp, SpansetRelation,
};
pub use window::{Edges, Unwrap, UnwrapAs, Window, WindowFunction};

use schemas::model::{Signal, StepGrid};

use crate::Annotation;

/// A logical plan: a tree that is consumed from the root down.
#[derive(Clone, Debug)]
pub enum Node {
    /// Rows of a signal.
    Scan(Scan),
    /// Rows that satisfy a predicate.
    Filter(Filter),
    /// Log rows with labels parsed from the line.
    Extract(Extract),
    /// Log rows with the line or labels rewritten.
    Format(Format),
    /// The newest sample at each step.
    Sample(Sample),
    /// A function over the rows or samples of a sliding time range.
    Window(Window),
    /// Series folded into groups.
    Aggregate(Aggregate),
    /// An operation between series.
    Binary(Binary),
    /// A function of series.
    Call(Call),
    /// The same number at every step; a series without labels and of kind scalar.
    Number(f64),
    /// The evaluation time of every step in seconds; a scalar.
    Time,
    /// A constant text; only as the root of a query.
    Text(String),
    /// Span rows gathered into one spanset a trace.
    Spanset(Spanset),
    /// Two sets of spansets combined within each trace.
    SpansetBinary(SpansetBinary),
    /// Spansets whose aggregate satisfies a comparison.
    SpansetFilter(SpansetFilter),
    /// Order of the result.
    Sort(Sort),
    /// At most so many rows, series or traces.
    Limit(Limit),
    /// The names, values or label sets that occur.
    Distinct(Distinct),
}

/// What flows out of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Records of a signal.
    Rows(Signal),
    /// Per label set a value or none at each step.
    Vector,
    /// One value at each step, without labels.
    Scalar,
    /// Per trace the selected spans.
    Spansets,
    /// Texts or label sets.
    Names,
    /// One constant text.
    Text,
}

impl Node {
    /// What flows out of this node.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Scan(scan) => Shape::Rows(scan.selector.signal),
            Self::Filter(filter) => filter.input.shape(),
            Self::Extract(_) | Self::Format(_) => Shape::Rows(Signal::Logs),
            Self::Sample(_) | Self::Window(_) | Self::Aggregate(_) => Shape::Vector,
            Self::Binary(binary) => match (binary.left.shape(), binary.right.shape()) {
                (Shape::Scalar, Shape::Scalar) => Shape::Scalar,
                _ => Shape::Vector,
            },
            Self::Call(call) => call.function.shape(),
            Self::Number(_) | Self::Time => Shape::Scalar,
            Self::Text(_) => Shape::Text,
            Self::Spanset(_) | Self::SpansetBinary(_) | Self::SpansetFilter(_) => Shape::Spansets,
            Self::Sort(sort) => sort.input.shape(),
            Self::Limit(limit) => limit.input.shape(),
            Self::Distinct(_) => Shape::Names,
        }
    }

    /// The node's inputs, left to right.
    pub fn inputs(&self) -> Vec<&Node> {
        match self {
            Self::Scan(_) | Self::Number(_) | Self::Time | Self::Text(_) => Vec::new(),
            Self::Spanset(node) => vec![&node.input],
            Self::Filter(node) => vec![&node.input],
            Self::Extract(node) => vec![&node.input],
            Self::Format(node) => vec![&node.input],
            Self::Sample(node) => vec![&node.input],
            Self::Window(node) => {
                std::iter::once(node.input.as_ref()).chain(&node.parameters).collect()
            }
            Self::Aggregate(node) => {
                let mut inputs = vec![node.input.as_ref()];
                inputs.extend(node.parameter.as_deref());
                inputs
            }
            Self::Binary(node) => vec![&node.left, &node.right],
            Self::Call(node) => node.arguments.iter().collect(),
            Self::SpansetBinary(node) => vec![&node.left, &node.right],
            Self::SpansetFilter(node) => vec![&node.input],
            Self::Sort(node) => vec![&node.input],
            Self::Limit(node) => vec![&node.input],
            Self::Distinct(node) => node.inputs.iter().collect(),
        }
    }
}

/// A query as a language hands it over.
#[derive(Clone, Debug)]
pub struct Query {
    /// The plan's root.
    pub root: Node,
    /// The steps of a series result; `None` for rows, spansets and names.
    pub grid: Option<StepGrid>,
    /// When series lose the name of a metric that they are no longer.
    pub naming: Naming,
    /// What could be remarked without running it.
    pub annotations: Vec<Annotation>,
}

/// When series lose the name of a metric whose values they no longer are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// At the function or operator that changes them.
    #[default]
    AtOnce,
    /// At the end: until then grouping, matching and functions of labels see the name.
    Delayed,
}

impl Query {
    /// A query about which nothing is remarked, and that drops names at once.
    pub fn new(root: Node, grid: Option<StepGrid>) -> Self {
        Self { root, grid, naming: Naming::AtOnce, annotations: Vec::new() }
    }
}
