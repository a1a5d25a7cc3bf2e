//! Functions of scalars and instant vectors.

use std::ops::Range;

use plan::node::{Call, Function, HistogramNumber, MapFunction, SortBy};
use plan::{Node, Position};
use schemas::model::{Direction, NANOS_PER_SECOND};

use super::duration::{range_seconds, step_seconds};
use super::{Context, labels, unsupported, window};
use crate::Error;
use crate::syntax::ast::{Aggregator, Call as Called, Expr, ExprKind};
use crate::syntax::functions::Type;

/// A function call.
pub(super) fn call(
    called: Called,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    if called.function.arguments.contains(&Type::Range) {
        return window::window(called, span, context);
    }
    let name = called.function.name;
    let mut arguments = called.arguments;
    let function = match name {
        "label_replace" | "label_join" => {
            let texts = labels::texts(arguments.split_off(arguments.len().min(1)))?;
            let input = only(nodes(arguments, context)?, &span)?;
            return if name == "label_join" {
                labels::label_join(input, texts, span)
            } else {
                labels::label_replace(input, texts, span)
            };
        }
        "info" => return super::info::info(arguments, span, context),
        "histogram_quantiles" => return quantiles(arguments, span, context),
        "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => {
            // At the root it was seen to by `sort_order`; anywhere else order means nothing.
            arguments.truncate(1);
            return only(nodes(arguments, context)?, &span);
        }
        "absent" => {
            let labels = arguments.first().map(labels::absent_labels).unwrap_or_default();
            Some(Function::Absent(labels))
        }
        _ => function(name),
    };
    if function.is_none() && called.function.returns != Type::Scalar {
        return Err(unsupported(&format!("function {name}"), span));
    }
    let positions = match function {
        Some(Function::HistogramQuantile | Function::HistogramFraction) => {
            arguments.iter().map(|argument| context.position(argument)).collect()
        }
        _ => Vec::new(),
    };
    let arguments = nodes(arguments, context)?;
    match function {
        Some(function) => Ok(apply(function, arguments, positions)),
        None => of_scalars(name, &arguments, context)
            .ok_or_else(|| unsupported(&format!("function {name} of changing values"), span)),
    }
}

/// `histogram_quantiles(vector, label, φ…)`.
fn quantiles(
    mut arguments: Vec<Expr>,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    let phis = arguments.split_off(arguments.len().min(2));
    let label = arguments.pop().ok_or_else(|| unsupported("no label", span.clone()))?;
    let label_span = label.span.clone();
    let message = "invalid label name in histogram_quantiles():";
    let label = labels::label_name(labels::text(label)?, message, &label_span)?;
    let order = phis.iter().chain(&arguments);
    let positions = order.map(|argument| context.position(argument)).collect();
    let mut inputs = nodes(phis, context)?;
    inputs.push(only(nodes(arguments, context)?, &span)?);
    let function = Function::HistogramQuantiles(label);
    Ok(Node::Call(Call { function, arguments: inputs, positions }))
}

/// The order that a root expression asks for.
pub(super) fn sort_order(expr: &Expr) -> Result<Option<SortBy>, Error> {
    let mut expr = expr;
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    let called = match &expr.kind {
        ExprKind::Call(called) => called,
        ExprKind::Aggregate(aggregate)
            if matches!(aggregate.op, Aggregator::TopK | Aggregator::BottomK) =>
        {
            return Ok(Some(SortBy::Arrival));
        }
        _ => return Ok(None),
    };
    let direction = match called.function.name {
        "sort" => return Ok(Some(SortBy::Value)),
        "sort_desc" => return Ok(Some(SortBy::ValueDescending)),
        "sort_by_label" => Direction::Forward,
        "sort_by_label_desc" => Direction::Backward,
        _ => return Ok(None),
    };
    let mut names = Vec::new();
    for argument in called.arguments.iter().skip(1) {
        let name = labels::text(argument.clone())?;
        let message = "invalid label name in sort_by_label():";
        names.push(labels::label_name(name, message, &argument.span)?);
    }
    Ok(Some(SortBy::Labels(names, direction)))
}

fn nodes(arguments: Vec<Expr>, context: Context<'_>) -> Result<Vec<Node>, Error> {
    // A loop rather than an iterator chain, which would take most of the stack in deep queries.
    let mut nodes = Vec::with_capacity(arguments.len());
    for argument in arguments {
        nodes.push(super::node(argument, context)?);
    }
    Ok(nodes)
}

/// The one node, as the check of the arguments made sure.
fn only(mut nodes: Vec<Node>, span: &Range<usize>) -> Result<Node, Error> {
    nodes.pop().ok_or_else(|| unsupported("a call without arguments", span.clone()))
}

fn apply(function: Function, mut arguments: Vec<Node>, positions: Vec<Position>) -> Node {
    match function {
        Function::Round if arguments.len() == 1 => arguments.push(Node::Number(1.0)),
        // Dates without an argument are those of the step.
        Function::Map(_) if arguments.is_empty() => {
            let now = Call::new(Function::Vector, vec![Node::Time]);
            arguments.push(Node::Call(now));
        }
        _ => {}
    }
    Node::Call(Call { function, arguments, positions })
}

/// Functions from scalars to a scalar, where its value is known.
fn of_scalars(name: &str, arguments: &[Node], context: Context<'_>) -> Option<Node> {
    let seconds = |at_ns: i64| at_ns as f64 / NANOS_PER_SECOND as f64;
    let query = context.query;
    let value = match (name, arguments) {
        ("time", []) => return Some(Node::Time),
        ("pi", []) => std::f64::consts::PI,
        ("start", []) => seconds(query.start_ns),
        ("end", []) => seconds(query.last_ns()),
        ("step", []) => step_seconds(query),
        ("range", []) => range_seconds(query),
        ("min_of", [Node::Number(left), Node::Number(right)]) => extreme(*left, *right, f64::min),
        ("max_of", [Node::Number(left), Node::Number(right)]) => extreme(*left, *right, f64::max),
        _ => return None,
    };
    Some(Node::Number(value))
}

/// The lesser or greater of two; unlike in Rust, NaN if one of them is.
fn extreme(left: f64, right: f64, pick: fn(f64, f64) -> f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { pick(left, right) }
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "round" => Function::Round,
        "clamp" => Function::Clamp,
        "clamp_min" => Function::ClampMin,
        "clamp_max" => Function::ClampMax,
        "scalar" => Function::Scalar,
        "vector" => Function::Vector,
        "timestamp" => Function::Timestamp,
        "histogram_avg" => Function::Histogram(HistogramNumber::Avg),
        "histogram_count" => Function::Histogram(HistogramNumber::Count),
        "histogram_stddev" => Function::Histogram(HistogramNumber::Stddev),
        "histogram_stdvar" => Function::Histogram(HistogramNumber::Stdvar),
        "histogram_sum" => Function::Histogram(HistogramNumber::Sum),
        "histogram_fraction" => Function::HistogramFraction,
        "histogram_quantile" => Function::HistogramQuantile,
        _ => Function::Map(map_function(name)?),
    })
}

fn map_function(name: &str) -> Option<MapFunction> {
    use MapFunction as M;
    Some(match name {
        "abs" => M::Abs,
        "ceil" => M::Ceil,
        "floor" => M::Floor,
        "exp" => M::Exp,
        "ln" => M::Ln,
        "log2" => M::Log2,
        "log10" => M::Log10,
        "sqrt" => M::Sqrt,
        "sgn" => M::Sgn,
        "sin" => M::Sin,
        "cos" => M::Cos,
        "tan" => M::Tan,
        "asin" => M::Asin,
        "acos" => M::Acos,
        "atan" => M::Atan,
        "sinh" => M::Sinh,
        "cosh" => M::Cosh,
        "tanh" => M::Tanh,
        "asinh" => M::Asinh,
        "acosh" => M::Acosh,
        "atanh" => M::Atanh,
        "deg" => M::Deg,
        "rad" => M::Rad,
        "minute" => M::Minute,
        "hour" => M::Hour,
        "day_of_week" => M::DayOfWeek,
        "day_of_month" => M::DayOfMonth,
        "day_of_year" => M::DayOfYear,
        "days_in_month" => M::DaysInMonth,
        "month" => M::Month,
        "year" => M::Year,
        _ => return None,
    })
}
