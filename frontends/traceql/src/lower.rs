//! From the tree to the plan.
//!
//! ```text
//!  { a } && { b } | count() > 2        Limit ─ Sort ─ SpansetFilter ─ SpansetBinary
//!                                                                      ├ Spanset ─ Filter ─ Scan
//!                                                                      └ Spanset ─ Filter ─ Scan
//! ```

mod condition;

use plan::Node;
use plan::expr::{Expr, Literal};
use plan::node::{
    self, Filter, Limit, Sort, SortBy, Spanset, SpansetAggregate, SpansetBinary, SpansetFilter,
    SpansetRelation,
};
use schemas::model::{Direction, TimeRange};

use crate::syntax::ast::{
    AggregateFunction, Field, MetricSource, Mode, Number, Query, Relation, Root, Scalar,
    ScalarFilter, SpansetExpr, SpansetOp, Stage,
};
use crate::{Error, Params, rows, scan};

pub(crate) use condition::condition;

/// The plan of a checked query: the newest traces first.
///
/// A query for series is answered with the spans that it counts.
pub(crate) fn lower(query: Query, params: &Params) -> Result<node::Query, Error> {
    let spansets = match query.root {
        Root::Pipeline(stages) => pipeline(stages, params.range)?,
        Root::Metrics(metrics) => match metrics.source {
            MetricSource::Pipeline { stages, .. } => pipeline(stages, params.range)?,
            MetricSource::Binary { span, .. } => {
                return Err(Error::unsupported(span.0, "a search by computed series is"));
            }
        },
    };
    Ok(newest(spansets, params.limit))
}

/// The newest traces of some spansets.
pub(crate) fn newest(spansets: Node, limit: usize) -> node::Query {
    let by = SortBy::Time(Direction::Backward);
    let sorted = Node::Sort(Sort { input: Box::new(spansets), by });
    rows(Node::Limit(Limit { input: Box::new(sorted), count: limit }))
}

/// The spans that satisfy a predicate, gathered by trace; without one every span.
pub(crate) fn spanset(predicate: Option<Expr>, range: TimeRange) -> Node {
    let input = Box::new(match predicate {
        Some(predicate) => Node::Filter(Filter { input: Box::new(scan(range)), predicate }),
        None => scan(range),
    });
    Node::Spanset(Spanset { input, select: Vec::new() })
}

fn pipeline(stages: Vec<Stage>, range: TimeRange) -> Result<Node, Error> {
    let mut selected: Option<Node> = None;
    for stage in stages {
        let next = match (stage, selected) {
            (Stage::Spansets(expr), None) => spansets(expr, range)?,
            (Stage::Spansets(expr), Some(input)) => refined(input, expr)?,
            (Stage::ScalarFilter(filter), input) => {
                scalar_filter(filter, input.unwrap_or_else(|| spanset(None, range)))?
            }
            (Stage::By(field), _) => return Err(Error::unsupported(field.span.0, "by() is")),
            // There is one spanset a trace as long as by() does not split it.
            (Stage::Coalesce(_), input) => input.unwrap_or_else(|| spanset(None, range)),
            (Stage::Select(fields, _), input) => {
                let fields: Vec<Expr> =
                    fields.into_iter().map(condition::value).collect::<Result<_, _>>()?;
                selecting(input.unwrap_or_else(|| spanset(None, range)), &fields)
            }
        };
        selected = Some(next);
    }
    Ok(selected.unwrap_or_else(|| spanset(None, range)))
}

fn spansets(expr: SpansetExpr, range: TimeRange) -> Result<Node, Error> {
    match expr {
        SpansetExpr::Filter(field) => {
            let predicate = field.map(condition).transpose()?;
            Ok(spanset(predicate, range))
        }
        SpansetExpr::Pipeline(stages) => pipeline(stages, range),
        SpansetExpr::Binary { op, left, right, .. } => {
            let left = Box::new(spansets(*left, range)?);
            let right = Box::new(spansets(*right, range)?);
            Ok(Node::SpansetBinary(SpansetBinary { left, right, op: spanset_op(op) }))
        }
    }
}

fn spanset_op(op: SpansetOp) -> node::SpansetOp {
    let (relation, mode) = match op {
        SpansetOp::And => return node::SpansetOp::And,
        SpansetOp::Or => return node::SpansetOp::Or,
        SpansetOp::Structural(relation, mode) => (relation, mode),
    };
    let named = match relation {
        Relation::Child => SpansetRelation::Child,
        Relation::Parent => SpansetRelation::Parent,
        Relation::Descendant => SpansetRelation::Descendant,
        Relation::Ancestor => SpansetRelation::Ancestor,
        Relation::Sibling => SpansetRelation::Sibling,
    };
    match (mode, relation) {
        (Mode::Unrelated, _) => node::SpansetOp::Unrelated(named),
        (Mode::Union, _) => node::SpansetOp::Pairs(named),
        (Mode::Related, Relation::Child) => node::SpansetOp::Child,
        (Mode::Related, Relation::Parent) => node::SpansetOp::Parent,
        (Mode::Related, Relation::Descendant) => node::SpansetOp::Descendant,
        (Mode::Related, Relation::Ancestor) => node::SpansetOp::Ancestor,
        (Mode::Related, Relation::Sibling) => node::SpansetOp::Sibling,
    }
}

/// `input | { field }`, where the filter can move into what selects the spans.
///
/// It can where every span comes from one filter or from a union of filters; an `&&` or an
/// aggregate before it has looked at spans that the later filter removes.
fn refined(input: Node, expr: SpansetExpr) -> Result<Node, Error> {
    let SpansetExpr::Filter(field) = expr else {
        return Err(Error::unsupported(0..0, "a spanset operator after the first stage is"));
    };
    let Some(field) = field else { return Ok(input) };
    let span = field.span.0.clone();
    let predicate = condition(field)?;
    narrowed(input, &predicate)
        .ok_or_else(|| Error::unsupported(span, "a spanset filter after this stage is"))
}

fn narrowed(node: Node, predicate: &Expr) -> Option<Node> {
    match node {
        Node::Spanset(Spanset { input, select }) => {
            let input = Box::new(match *input {
                Node::Filter(Filter { input, predicate: first }) => Node::Filter(Filter {
                    input,
                    predicate: Expr::And(vec![first, predicate.clone()]),
                }),
                rows => {
                    Node::Filter(Filter { input: Box::new(rows), predicate: predicate.clone() })
                }
            });
            Some(Node::Spanset(Spanset { input, select }))
        }
        Node::SpansetBinary(SpansetBinary { left, right, op: node::SpansetOp::Or }) => {
            let left = Box::new(narrowed(*left, predicate)?);
            let right = Box::new(narrowed(*right, predicate)?);
            Some(Node::SpansetBinary(SpansetBinary { left, right, op: node::SpansetOp::Or }))
        }
        _ => None,
    }
}

/// Returns more values with each span, whichever operand it comes from.
fn selecting(node: Node, fields: &[Expr]) -> Node {
    match node {
        Node::Spanset(mut spanset) => {
            spanset.select.extend_from_slice(fields);
            Node::Spanset(spanset)
        }
        Node::SpansetBinary(SpansetBinary { left, right, op }) => {
            let left = Box::new(selecting(*left, fields));
            let right = Box::new(selecting(*right, fields));
            Node::SpansetBinary(SpansetBinary { left, right, op })
        }
        Node::SpansetFilter(mut filter) => {
            filter.input = Box::new(selecting(*filter.input, fields));
            Node::SpansetFilter(filter)
        }
        other => other,
    }
}

fn scalar_filter(filter: ScalarFilter, input: Node) -> Result<Node, Error> {
    let (Scalar::Aggregate(function, field, _), Scalar::Number(value)) =
        (filter.left, filter.right)
    else {
        let what = "a comparison other than of one aggregate with a number is";
        return Err(Error::unsupported(filter.span.0, what));
    };
    let value = Expr::Literal(match value {
        Number::Int(value) => Literal::Int(value),
        Number::Float(value) => Literal::Float(value),
        Number::Duration(value) => Literal::Duration(value),
    });
    let aggregate = aggregate(function, field)?;
    let input = Box::new(input);
    Ok(Node::SpansetFilter(SpansetFilter { input, aggregate, op: filter.op, value }))
}

fn aggregate(function: AggregateFunction, field: Option<Field>) -> Result<SpansetAggregate, Error> {
    let Some(field) = field else { return Ok(SpansetAggregate::Count) };
    let field = condition::value(field)?;
    Ok(match function {
        AggregateFunction::Count => SpansetAggregate::Count,
        AggregateFunction::Avg => SpansetAggregate::Avg(field),
        AggregateFunction::Min => SpansetAggregate::Min(field),
        AggregateFunction::Max => SpansetAggregate::Max(field),
        AggregateFunction::Sum => SpansetAggregate::Sum(field),
    })
}
