//! Compiling a search: filters split into what a span can tell and what only its trace can.

use std::borrow::Cow;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::or;
use arrow::datatypes::Schema;
use plan::expr::{CompareOp, Intrinsic};
use plan::node::{Filter, SpansetAggregate, SpansetOp, SpansetRelation};
use plan::{Expr, Node};
use schemas::model::{Attribute, TimeRange};
use schemas::tables::columns;

use super::frame::{Frame, arrow_error, internal};
use super::mask::mask;
use super::place::{columns_read, for_each_reference};
use super::value::Value;
use crate::{Error, ErrorKind};

/// Filters of one search; each is a bit of a span's mark.
const LEAVES_MAX: usize = 64;

/// A search, compiled from the plan below order and limit.
#[derive(Debug)]
pub(crate) struct Search {
    pub(super) tree: Tree,
    pub(super) leaves: Vec<Leaf>,
    /// What aggregates are computed over.
    pub(super) measured: Vec<Expr>,
    /// What is returned with each span, by name.
    pub(super) reported: Vec<(String, Expr)>,
    range: TimeRange,
}

/// One `{ … }`.
#[derive(Debug)]
pub(super) struct Leaf {
    /// What a span can tell.
    row: Option<Expr>,
    /// What only the whole trace can tell.
    pub(super) trace: Option<Expr>,
}

/// How the leaves combine within a trace.
#[derive(Debug)]
pub(super) enum Tree {
    /// Spans of a leaf, by position.
    Leaf(usize),
    Binary {
        op: SpansetOp,
        left: Box<Tree>,
        right: Box<Tree>,
    },
    Filter {
        input: Box<Tree>,
        aggregate: Aggregate,
        op: CompareOp,
        bound: f64,
    },
}

/// A number of a spanset; the position is that of the measured expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aggregate {
    Count,
    Avg(usize),
    Min(usize),
    Max(usize),
    Sum(usize),
}

impl Search {
    /// Takes a tree of `Spanset`, `SpansetBinary` and `SpansetFilter` over scans of spans.
    pub(crate) fn compile(node: Node) -> Result<Self, Error> {
        let mut search = Self {
            tree: Tree::Leaf(0),
            leaves: Vec::new(),
            measured: Vec::new(),
            reported: Vec::new(),
            range: TimeRange { start_ns: i64::MAX, end_ns: i64::MIN },
        };
        search.tree = search.tree_of(node)?;
        Ok(search)
    }

    /// When the spans that decide start.
    pub(crate) fn range(&self) -> TimeRange {
        self.range
    }

    /// Columns of `schema`, the layout of the spans table, that deciding and reporting read.
    pub(crate) fn columns(&self, schema: &Schema) -> Vec<Cow<'static, str>> {
        let always = [
            columns::TRACE_ID,
            columns::SPAN_ID,
            columns::PARENT_SPAN_ID,
            columns::START_NS,
            columns::DURATION_NS,
            columns::NAME,
        ];
        let mut read = always.map(Cow::Borrowed).to_vec();
        let leaves = self.leaves.iter().filter_map(|leaf| leaf.row.as_ref());
        let reported = self.reported.iter().map(|(_, expr)| expr);
        for expr in leaves.chain(&self.measured).chain(reported) {
            for column in columns_read(expr, schema) {
                if !read.contains(&column) {
                    read.push(column);
                }
            }
        }
        read
    }

    /// The attributes that deciding and reporting read.
    pub(crate) fn attributes(&self) -> Vec<&Attribute> {
        let leaves = self.leaves.iter().filter_map(|leaf| leaf.row.as_ref());
        let reported = self.reported.iter().map(|(_, expr)| expr);
        leaves.chain(&self.measured).chain(reported).flat_map(super::attributes_of).collect()
    }

    /// Of each leaf what a span must satisfy to be a candidate; `None` if any span may be.
    pub(crate) fn filters(&self) -> impl Iterator<Item = Option<&Expr>> {
        self.leaves.iter().map(|leaf| leaf.row.as_ref())
    }

    /// For each row whether any leaf filter selects it. Rows have the columns of `columns`.
    pub(crate) fn candidate(&self, rows: &RecordBatch) -> Result<BooleanArray, Error> {
        let mut any = BooleanArray::from(vec![false; rows.num_rows()]);
        for mask in self.masks(rows)? {
            any = or(&any, &mask).map_err(arrow_error)?;
        }
        Ok(any)
    }

    /// For each leaf the rows that it may select.
    pub(super) fn masks(&self, rows: &RecordBatch) -> Result<Vec<BooleanArray>, Error> {
        let frame = Frame::spans(rows);
        let all = || BooleanArray::from(vec![true; rows.num_rows()]);
        let leaves = self.leaves.iter();
        leaves
            .map(|leaf| leaf.row.as_ref().map_or_else(|| Ok(all()), |it| mask(it, &frame)))
            .collect()
    }

    /// Whether spans that no leaf selects decide, too.
    pub(super) fn needs_traces(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.trace.is_some()) || self.tree.needs_ancestry()
    }

    /// Whether every candidate span is part of the result, so that old ones can be forgotten.
    pub(super) fn is_plain(&self) -> bool {
        !self.needs_traces() && self.tree.is_union()
    }

    fn tree_of(&mut self, node: Node) -> Result<Tree, Error> {
        match node {
            Node::Spanset(spanset) => {
                let (range, predicate) = match *spanset.input {
                    Node::Scan(scan) => (scan.selector.range, None),
                    Node::Filter(Filter { input, predicate }) => match *input {
                        Node::Scan(scan) => (scan.selector.range, Some(predicate)),
                        _ => return Err(unexpected()),
                    },
                    _ => return Err(unexpected()),
                };
                self.range = self.range.union(&range);
                self.leaf(predicate, spanset.select)
            }
            Node::SpansetBinary(binary) => {
                let left = Box::new(self.tree_of(*binary.left)?);
                let right = Box::new(self.tree_of(*binary.right)?);
                Ok(Tree::Binary { op: binary.op, left, right })
            }
            Node::SpansetFilter(filter) => {
                let input = Box::new(self.tree_of(*filter.input)?);
                let aggregate = self.aggregate(filter.aggregate)?;
                let bound = match &filter.value {
                    Expr::Literal(value) => Value::from(value).number(),
                    _ => None,
                };
                let bound = bound.ok_or_else(unexpected)?;
                Ok(Tree::Filter { input, aggregate, op: filter.op, bound })
            }
            _ => Err(unexpected()),
        }
    }

    fn leaf(&mut self, predicate: Option<Expr>, select: Vec<Expr>) -> Result<Tree, Error> {
        if self.leaves.len() == LEAVES_MAX {
            let message = format!("search has more than {LEAVES_MAX} filters");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if let Some(predicate) = &predicate {
            for_each_reference(predicate, &mut |it| report(&mut self.reported, it));
        }
        select.iter().for_each(|it| report(&mut self.reported, it));
        let leaf = match predicate {
            None => Leaf { row: None, trace: None },
            Some(predicate) => split(predicate)?,
        };
        if let Some(row) = &leaf.row {
            check(row)?;
        }
        self.leaves.push(leaf);
        Ok(Tree::Leaf(self.leaves.len() - 1))
    }

    fn aggregate(&mut self, aggregate: SpansetAggregate) -> Result<Aggregate, Error> {
        let next = self.measured.len();
        let (aggregate, expr) = match aggregate {
            SpansetAggregate::Count => return Ok(Aggregate::Count),
            SpansetAggregate::Avg(expr) => (Aggregate::Avg(next), expr),
            SpansetAggregate::Min(expr) => (Aggregate::Min(next), expr),
            SpansetAggregate::Max(expr) => (Aggregate::Max(next), expr),
            SpansetAggregate::Sum(expr) => (Aggregate::Sum(next), expr),
        };
        if asks_trace(&expr) {
            return Err(unsupported("an aggregate over properties of the trace"));
        }
        check(&expr)?;
        self.measured.push(expr);
        Ok(aggregate)
    }
}

impl Tree {
    fn needs_ancestry(&self) -> bool {
        use SpansetRelation::{Ancestor, Descendant, Sibling};
        match self {
            Self::Leaf(_) => false,
            Self::Filter { input, .. } => input.needs_ancestry(),
            Self::Binary { op, left, right } => {
                let far = matches!(
                    op,
                    SpansetOp::Descendant
                        | SpansetOp::Ancestor
                        | SpansetOp::Sibling
                        | SpansetOp::Unrelated(Descendant | Ancestor | Sibling)
                        | SpansetOp::Pairs(Descendant | Ancestor | Sibling)
                );
                far || left.needs_ancestry() || right.needs_ancestry()
            }
        }
    }

    fn is_union(&self) -> bool {
        match self {
            Self::Leaf(_) => true,
            Self::Binary { op: SpansetOp::Or, left, right } => left.is_union() && right.is_union(),
            _ => false,
        }
    }
}

fn unexpected() -> Error {
    internal("a search over something else than filters of spans".to_owned())
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what} is not yet supported"))
}

/// Adds a value to what is returned, unless it has a column of its own or its name is taken.
fn report(reported: &mut Vec<(String, Expr)>, expr: &Expr) {
    let name = match expr {
        Expr::Attribute(attribute) => attribute.key.as_str(),
        Expr::Intrinsic(intrinsic) => match reported_name(*intrinsic) {
            Some(name) => name,
            None => return,
        },
        _ => return,
    };
    if !reported.iter().any(|(taken, _)| taken == name) {
        reported.push((name.to_owned(), expr.clone()));
    }
}

/// The name under which an intrinsic is returned; none for those that every span is shown with.
fn reported_name(intrinsic: Intrinsic) -> Option<&'static str> {
    Some(match intrinsic {
        Intrinsic::Name | Intrinsic::Duration | Intrinsic::SpanId | Intrinsic::TraceId => {
            return None;
        }
        Intrinsic::Status => "status",
        Intrinsic::StatusMessage => "statusMessage",
        Intrinsic::Kind => "kind",
        Intrinsic::RootName => "rootName",
        Intrinsic::RootServiceName => "rootServiceName",
        Intrinsic::TraceDuration => "traceDuration",
        Intrinsic::ParentId => "span:parentID",
        Intrinsic::ChildCount => "span:childCount",
        Intrinsic::NestedSetLeft => "nestedSetLeft",
        Intrinsic::NestedSetRight => "nestedSetRight",
        Intrinsic::NestedSetParent => "nestedSetParent",
        Intrinsic::EventName => "event:name",
        Intrinsic::EventTimeSinceStart => "event:timeSinceStart",
        Intrinsic::LinkTraceId => "link:traceID",
        Intrinsic::LinkSpanId => "link:spanID",
        Intrinsic::InstrumentationName => "instrumentation:name",
        Intrinsic::InstrumentationVersion => "instrumentation:version",
        Intrinsic::TraceState => "traceState",
    })
}

/// Whether only a whole trace knows an intrinsic, the same for all its spans.
pub(super) fn is_of_trace(intrinsic: Intrinsic) -> bool {
    matches!(intrinsic, Intrinsic::RootName | Intrinsic::RootServiceName | Intrinsic::TraceDuration)
}

/// Whether only a whole trace knows an intrinsic of a span.
pub(super) fn is_of_tree(intrinsic: Intrinsic) -> bool {
    matches!(
        intrinsic,
        Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent
            | Intrinsic::ChildCount
    )
}

fn asks_trace(expr: &Expr) -> bool {
    let mut asks = false;
    for_each_reference(expr, &mut |it| {
        asks |= matches!(it, Expr::Intrinsic(intrinsic) if is_of_trace(*intrinsic));
    });
    asks
}

fn asks_span(expr: &Expr) -> bool {
    let mut asks = false;
    for_each_reference(expr, &mut |it| {
        asks |= !matches!(it, Expr::Intrinsic(intrinsic) if is_of_trace(*intrinsic));
    });
    asks
}

/// Parts the operands of a conjunction by who can answer them.
fn split(predicate: Expr) -> Result<Leaf, Error> {
    let (mut row, mut trace) = (Vec::new(), Vec::new());
    let mut open = vec![predicate];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::And(inputs) => open.extend(inputs.into_iter().rev()),
            expr if !asks_trace(&expr) => row.push(expr),
            expr if !asks_span(&expr) => trace.push(expr),
            _ => {
                return Err(unsupported(
                    "a condition on the trace that is an alternative to one on the span",
                ));
            }
        }
    }
    let all = |mut all: Vec<Expr>| match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Expr::And(all)),
    };
    Ok(Leaf { row: all(row), trace: all(trace) })
}

/// Refuses what a span alone cannot answer.
pub(super) fn check(expr: &Expr) -> Result<(), Error> {
    match expr {
        Expr::Compare { op, left, right } => match (left.as_ref(), right.as_ref()) {
            (Expr::Intrinsic(Intrinsic::NestedSetParent), Expr::Literal(bound)) => {
                // Whether a parent has some positive number is not known, whether one exists is.
                let is_known = match (op, Value::from(bound).number()) {
                    (CompareOp::Less | CompareOp::GreaterEqual, Some(bound)) => bound <= 0.0,
                    (_, Some(bound)) => bound < 0.0,
                    (_, None) => true,
                };
                if is_known { Ok(()) } else { Err(unsupported("a comparison of nestedSetParent")) }
            }
            (left, right) => {
                check(left)?;
                check(right)
            }
        },
        Expr::Exists(_) => Ok(()),
        Expr::Intrinsic(intrinsic) if is_of_tree(*intrinsic) || is_of_trace(*intrinsic) => {
            let name = reported_name(*intrinsic).unwrap_or_default();
            Err(unsupported(&format!("a condition on {name} here")))
        }
        Expr::Arithmetic { left, right, .. } => {
            check(left)?;
            check(right)
        }
        Expr::Negate(input)
        | Expr::Not(input)
        | Expr::Contains { input, .. }
        | Expr::Matches { input, .. } => check(input),
        Expr::And(inputs) | Expr::Or(inputs) => inputs.iter().try_for_each(check),
        _ => Ok(()),
    }
}
