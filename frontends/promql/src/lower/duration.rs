//! Durations: evaluated at once, in whole milliseconds.

use std::ops::Range;

use schemas::model::{NANOS_PER_MILLI, NANOS_PER_SECOND, StepGrid};

use super::is_instant;
use crate::Error;
use crate::syntax::ast::{BinaryOp, Duration};

/// Largest duration in milliseconds: what fits an `i64` of nanoseconds.
const MILLISECONDS_MAX: f64 = (i64::MAX / NANOS_PER_MILLI) as f64;

/// The nanoseconds of a duration. What is less than a millisecond is cut off.
pub(super) fn nanoseconds(
    duration: &Duration,
    query: StepGrid,
    span: &Range<usize>,
) -> Result<i64, Error> {
    let seconds =
        seconds(duration, query).map_err(|message| Error::invalid(message).at(span.clone()))?;
    // To nanoseconds first: 1.001 s are 1001 ms, though the product is a little less.
    let milliseconds = ((seconds * 1e9).round() / 1e6).trunc();
    if milliseconds.is_nan() || milliseconds.abs() >= MILLISECONDS_MAX {
        return Err(Error::invalid("duration out of range").at(span.clone()));
    }
    Ok(milliseconds as i64 * NANOS_PER_MILLI)
}

/// The nanoseconds of a duration that must be more than none.
pub(super) fn positive_nanoseconds(
    duration: &Duration,
    query: StepGrid,
    span: &Range<usize>,
) -> Result<i64, Error> {
    match nanoseconds(duration, query, span)? {
        nanoseconds if nanoseconds > 0 => Ok(nanoseconds),
        _ => Err(Error::invalid("duration must be greater than 0").at(span.clone())),
    }
}

/// The step of a query in seconds; an instant query has none.
pub(super) fn step_seconds(query: StepGrid) -> f64 {
    if is_instant(query) { 0.0 } else { query.step_ns as f64 / NANOS_PER_SECOND as f64 }
}

/// The distance of the first and the last step in seconds.
pub(super) fn range_seconds(query: StepGrid) -> f64 {
    (query.last_ns() - query.start_ns) as f64 / NANOS_PER_SECOND as f64
}

fn seconds(duration: &Duration, query: StepGrid) -> Result<f64, &'static str> {
    Ok(match duration {
        Duration::Literal(number) => number.value,
        Duration::Step => step_seconds(query),
        Duration::Range => range_seconds(query),
        Duration::Min(left, right) => seconds(left, query)?.min(seconds(right, query)?),
        Duration::Max(left, right) => seconds(left, query)?.max(seconds(right, query)?),
        Duration::Negate(inner) => -seconds(inner, query)?,
        Duration::Paren(inner) => seconds(inner, query)?,
        Duration::Binary(op, left, right) => {
            let (left, right) = (seconds(left, query)?, seconds(right, query)?);
            match op {
                BinaryOp::Add => left + right,
                BinaryOp::Subtract => left - right,
                BinaryOp::Multiply => left * right,
                BinaryOp::Divide if right == 0.0 => return Err("division by zero"),
                BinaryOp::Divide => left / right,
                BinaryOp::Modulo if right == 0.0 => return Err("modulo by zero"),
                BinaryOp::Modulo => left % right,
                BinaryOp::Power => left.powf(right),
                _ => return Err("operator is not allowed in a duration"),
            }
        }
    })
}
