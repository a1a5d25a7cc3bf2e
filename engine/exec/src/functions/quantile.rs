//! Quantiles of plain values, linearly interpolated between ranks.

use std::cmp::Ordering;

/// The φ-quantile of `values`, which are sorted in place with NaN first.
///
/// φ below 0 gives -Inf, above 1 +Inf, NaN gives NaN; without values NaN.
/// Source: Prometheus, "quantile" aggregation.
pub(crate) fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(order);
    between(phi, values.len(), |at| values[at])
}

/// The order of values that ranks are of: NaN first.
pub(crate) fn order(a: &f64, b: &f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.total_cmp(b),
    }
}

/// Between the two ranks next to the φ-quantile, φ from 0 to 1, of some values that `get` tells by
/// rank; there is at least one.
pub(crate) fn between(phi: f64, count: usize, get: impl Fn(usize) -> f64) -> f64 {
    let rank = phi * (count - 1) as f64;
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(count - 1);
    let weight = rank - rank.floor();
    get(lower) * (1.0 - weight) + get(upper) * weight
}
