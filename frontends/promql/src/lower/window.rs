//! Functions of a range: `rate(x[5m])` and its kin.

use std::ops::Range;

use plan::Node;
use plan::node::{Edges, Window, WindowFunction};

use super::selector::{Input, range, subquery};
use super::{Context, labels, unsupported, unwrapped};
use crate::Error;
use crate::syntax::ast::{Call, Edge, Expr, ExprKind};
use crate::syntax::functions::Type;

/// A call of a function with a range among its arguments.
pub(super) fn window(call: Call, span: Range<usize>, context: Context<'_>) -> Result<Node, Error> {
    let name = call.function.name;
    let position = call.arguments.first().map(|argument| context.position(argument));
    let mut ranged = None;
    let mut parameters = Vec::new();
    for (argument, takes) in call.arguments.into_iter().zip(call.function.arguments) {
        if *takes == Type::Range {
            ranged = Some(unwrapped(argument));
        } else {
            parameters.push(super::node(argument, context)?);
        }
    }
    let Some(ranged) = ranged else {
        return Err(unsupported(&format!("function {name}"), span));
    };
    let function = match name {
        "absent_over_time" => WindowFunction::Absent(labels::absent_labels(&ranged)),
        _ => match function(name, &mut parameters)? {
            Some(function) => function,
            None => return Err(unsupported(&format!("function {name}"), span)),
        },
    };
    let edges = edges(&ranged, name, context)?;
    let start_times = context.options.start_times
        && edges == Edges::Plain
        && matches!(ranged.kind, ExprKind::Range(_))
        && matches!(name, "rate" | "increase" | "irate" | "resets");
    let input = input(ranged, context)?;
    Ok(Node::Window(Window {
        input: Box::new(input.node),
        input_grid: input.grid,
        grid: context.grid,
        range_ns: input.range_ns,
        offset_ns: input.shift.offset_ns,
        at_ns: input.shift.at_ns,
        edges,
        start_times,
        function,
        parameters,
        keep_name: matches!(name, "last_over_time" | "first_over_time"),
        unwrap: None,
        grouping: None,
        position,
    }))
}

fn edges(ranged: &Expr, function: &str, context: Context<'_>) -> Result<Edges, Error> {
    let ExprKind::Range(selector) = &ranged.kind else { return Ok(Edges::Plain) };
    let Some(edge) = selector.selector.edge else { return Ok(Edges::Plain) };
    fits_edge(edge, function).map_err(|error| error.at(ranged.span.clone()))?;
    let lookback_ns = context.options.lookback_ns;
    Ok(match edge {
        Edge::Anchored => Edges::Anchored { lookback_ns },
        Edge::Smoothed => Edges::Smoothed { lookback_ns },
    })
}

fn input(ranged: Expr, context: Context<'_>) -> Result<Input, Error> {
    let span = ranged.span;
    match ranged.kind {
        ExprKind::Range(selector) => range(*selector, &span, context),
        ExprKind::Subquery(query) => subquery(*query, &span, context),
        _ => Err(unsupported("this argument", span)),
    }
}

/// Whether a function is defined for ranges with such edges.
fn fits_edge(edge: Edge, function: &str) -> Result<(), Error> {
    let allowed: &[&str] = match edge {
        Edge::Anchored => &["changes", "delta", "increase", "rate", "resets"],
        Edge::Smoothed => &["delta", "increase", "rate"],
    };
    if allowed.contains(&function) {
        return Ok(());
    }
    let (name, allowed) = (edge.name(), allowed.join(", "));
    Err(Error::invalid(format!(
        "{name} modifier can only be used with: {allowed} - not with {function}"
    )))
}

/// The function of this name; `None` if the plan has none. Parameters that are the same at every
/// step are taken into it.
fn function(name: &str, parameters: &mut Vec<Node>) -> Result<Option<WindowFunction>, Error> {
    use WindowFunction as F;
    let constant = |parameter: &Node| match parameter {
        Node::Number(value) => Some(*value),
        _ => None,
    };
    let constants: Option<Vec<f64>> = parameters.iter().map(constant).collect();
    let function = match (name, parameters.len()) {
        ("rate", 0) => F::Rate,
        ("increase", 0) => F::Increase,
        ("delta", 0) => F::Delta,
        ("irate", 0) => F::Irate,
        ("idelta", 0) => F::Idelta,
        ("sum_over_time", 0) => F::Sum,
        ("avg_over_time", 0) => F::Avg,
        ("min_over_time", 0) => F::Min,
        ("max_over_time", 0) => F::Max,
        ("count_over_time", 0) => F::Count,
        ("last_over_time", 0) => F::Last,
        ("first_over_time", 0) => F::First,
        ("present_over_time", 0) => F::Present,
        ("stddev_over_time", 0) => F::Stddev,
        ("stdvar_over_time", 0) => F::Stdvar,
        ("mad_over_time", 0) => F::Mad,
        ("changes", 0) => F::Changes,
        ("resets", 0) => F::Resets,
        ("deriv", 0) => F::Deriv,
        ("ts_of_first_over_time", 0) => F::TimeOfFirst,
        ("ts_of_last_over_time", 0) => F::TimeOfLast,
        ("ts_of_min_over_time", 0) => F::TimeOfMin,
        ("ts_of_max_over_time", 0) => F::TimeOfMax,
        ("quantile_over_time", 1) => F::Quantile(f64::NAN),
        ("predict_linear", 1) => F::PredictLinear(f64::NAN),
        ("double_exponential_smoothing", 2) => {
            F::DoubleExponentialSmoothing { smoothing: f64::NAN, trend: f64::NAN }
        }
        _ => return Ok(None),
    };
    let Some(constants) = constants else { return Ok(Some(function)) };
    parameters.clear();
    function.with_parameters(&constants).map(Some).map_err(Error::invalid)
}
