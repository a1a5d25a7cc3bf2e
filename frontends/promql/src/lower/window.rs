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
    let mut scalars = Vec::new();
    for (argument, takes) in call.arguments.into_iter().zip(call.function.arguments) {
        if *takes == Type::Range {
            ranged = Some(unwrapped(argument));
        } else {
            scalars.push(constant(argument, name, context)?);
        }
    }
    let Some(ranged) = ranged else {
        return Err(unsupported(&format!("function {name}"), span));
    };
    let function = match name {
        "absent_over_time" => WindowFunction::Absent(labels::absent_labels(&ranged)),
        _ => match function(name, &scalars)? {
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

/// A parameter, which must not change from step to step.
fn constant(argument: Expr, function: &str, context: Context<'_>) -> Result<f64, Error> {
    let span = argument.span.clone();
    match super::node(argument, context)? {
        Node::Number(value) => Ok(value),
        _ => Err(unsupported(&format!("a parameter of {function} that is not constant"), span)),
    }
}

/// The function of this name; `None` if the plan has none.
fn function(name: &str, scalars: &[f64]) -> Result<Option<WindowFunction>, Error> {
    use WindowFunction as F;
    Ok(Some(match (name, scalars) {
        ("rate", []) => F::Rate,
        ("increase", []) => F::Increase,
        ("delta", []) => F::Delta,
        ("irate", []) => F::Irate,
        ("idelta", []) => F::Idelta,
        ("sum_over_time", []) => F::Sum,
        ("avg_over_time", []) => F::Avg,
        ("min_over_time", []) => F::Min,
        ("max_over_time", []) => F::Max,
        ("count_over_time", []) => F::Count,
        ("last_over_time", []) => F::Last,
        ("first_over_time", []) => F::First,
        ("present_over_time", []) => F::Present,
        ("stddev_over_time", []) => F::Stddev,
        ("stdvar_over_time", []) => F::Stdvar,
        ("mad_over_time", []) => F::Mad,
        ("changes", []) => F::Changes,
        ("resets", []) => F::Resets,
        ("deriv", []) => F::Deriv,
        ("ts_of_first_over_time", []) => F::TimeOfFirst,
        ("ts_of_last_over_time", []) => F::TimeOfLast,
        ("ts_of_min_over_time", []) => F::TimeOfMin,
        ("ts_of_max_over_time", []) => F::TimeOfMax,
        ("quantile_over_time", [quantile]) => F::Quantile(*quantile),
        ("predict_linear", [seconds]) => F::PredictLinear(*seconds),
        ("double_exponential_smoothing", [smoothing, trend]) => smoothed(*smoothing, *trend)?,
        _ => return Ok(None),
    }))
}

fn smoothed(smoothing: f64, trend: f64) -> Result<WindowFunction, Error> {
    let is_inside = |factor: f64| factor > 0.0 && factor < 1.0;
    if !is_inside(smoothing) {
        let message =
            format!("invalid smoothing factor. Expected: 0 < sf < 1, got: {smoothing:.6}");
        return Err(Error::invalid(message));
    }
    if !is_inside(trend) {
        let message = format!("invalid trend factor. Expected: 0 < tf < 1, got: {trend:.6}");
        return Err(Error::invalid(message));
    }
    Ok(WindowFunction::DoubleExponentialSmoothing { smoothing, trend })
}
