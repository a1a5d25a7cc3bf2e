//! Queries whose answer does not depend on when they are asked: `@` added to every selector.
//!
//! Such a query must give at any time what the plain one gives at the time it is pinned to, which
//! makes a second test of every query whose answer is known.

use crate::syntax::ast::{At, Expr, ExprKind, Shift};
use crate::syntax::on_stack;

/// Functions whose answer depends on the evaluation time, whatever their selectors say.
const TIMED: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// Adds `@` to every selector and subquery that has none. False if the query calls a function
/// that depends on the evaluation time all the same.
///
/// What is inside a subquery is left as it is: the subquery gives it its times.
pub(crate) fn pin(expr: &mut Expr, at_ms: i64) -> bool {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::Text(_) => true,
        ExprKind::Selector(selector) => pin_shift(&mut selector.shift, at_ms),
        ExprKind::Range(range) => pin_shift(&mut range.selector.shift, at_ms),
        ExprKind::Subquery(subquery) => pin_shift(&mut subquery.shift, at_ms),
        ExprKind::Paren(inner) => pin(inner, at_ms),
        ExprKind::Unary(unary) => pin(&mut unary.operand, at_ms),
        ExprKind::Binary(binary) => {
            on_stack(|| pin(&mut binary.left, at_ms) && pin(&mut binary.right, at_ms))
        }
        ExprKind::Aggregate(aggregate) => {
            let parameter = aggregate.parameter.as_mut();
            parameter.is_none_or(|parameter| pin(parameter, at_ms))
                && pin(&mut aggregate.input, at_ms)
        }
        ExprKind::Call(call) => {
            !TIMED.contains(&call.function.name)
                && call.arguments.iter_mut().all(|argument| pin(argument, at_ms))
        }
    }
}

fn pin_shift(shift: &mut Shift, at_ms: i64) -> bool {
    shift.at.get_or_insert(At::TimeMs(at_ms));
    true
}
