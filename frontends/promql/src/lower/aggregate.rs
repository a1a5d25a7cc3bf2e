//! Aggregations.

use std::ops::Range;

use plan::Node;
use plan::node::{Aggregate, AggregateOp, AggregatePlaces};
use schemas::model::Grouping;

use super::{Context, labels, unsupported};
use crate::Error;
use crate::syntax::ast::{Aggregate as Aggregation, Aggregator};

/// Series folded into groups; without a clause all into one.
pub(super) fn aggregate(
    aggregation: Aggregation,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    let grouping = aggregation.grouping.unwrap_or(Grouping::By(Vec::new()));
    let input = context.position(&aggregation.input);
    let parameter = aggregation.parameter.as_ref().map(|expr| context.position(expr));
    let whole = context.position_of(&span);
    let places = AggregatePlaces { whole, input, parameter: parameter.unwrap_or(input) };
    let (op, parameter) = match (operator(aggregation.op), aggregation.parameter) {
        (Some(op), None) => (op, None),
        (Some(op), Some(parameter)) => (op, Some(Box::new(super::node(parameter, context)?))),
        (None, Some(label)) => {
            let label = labels::text(label)?;
            let label = labels::label_name(label, "invalid label name", &span)?;
            (AggregateOp::CountValues(label), None)
        }
        (None, None) => return Err(unsupported("count_values without a label", span)),
    };
    let input = Box::new(super::node(aggregation.input, context)?);
    Ok(Node::Aggregate(Aggregate { input, op, parameter, grouping, places: Some(places) }))
}

/// The operator, unless it takes a label rather than a number.
fn operator(op: Aggregator) -> Option<AggregateOp> {
    Some(match op {
        Aggregator::Sum => AggregateOp::Sum,
        Aggregator::Avg => AggregateOp::Avg,
        Aggregator::Min => AggregateOp::Min,
        Aggregator::Max => AggregateOp::Max,
        Aggregator::Count => AggregateOp::Count,
        Aggregator::Group => AggregateOp::Group,
        Aggregator::Stddev => AggregateOp::Stddev,
        Aggregator::Stdvar => AggregateOp::Stdvar,
        Aggregator::TopK => AggregateOp::TopK,
        Aggregator::BottomK => AggregateOp::BottomK,
        Aggregator::Quantile => AggregateOp::Quantile,
        Aggregator::LimitK => AggregateOp::LimitK,
        Aggregator::LimitRatio => AggregateOp::LimitRatio,
        Aggregator::CountValues => return None,
    })
}
