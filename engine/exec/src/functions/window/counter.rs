//! Functions that look at how values follow each other: counters, their resets, and differences.

use plan::node::WindowFunction;

use super::sliding::Counts;
use super::{Output, Samples, Windows};

/// Gaps at the window's edges up to this many mean distances are extrapolated over in full.
pub(super) const EXTRAPOLATION_THRESHOLD: f64 = 1.1;

/// `rate`, `increase` and `delta`: the difference of the last and first sample, extrapolated to
/// the window's edges; counters get the values before each reset added.
///
/// Resets are found once for the series; each window looks only at those inside it, in order, so
/// the result is bit for bit that of a loop over the window's samples.
pub(super) fn extrapolated(
    function: &WindowFunction,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    let counter = !matches!(function, WindowFunction::Delta);
    let per_second = matches!(function, WindowFunction::Rate | WindowFunction::RateCounter);
    let lone = matches!(function, WindowFunction::RateCounter).then_some(0.0);
    let values = samples.values;
    let resets = if counter { falls(values) } else { Vec::new() };
    let (mut first, mut last) = (0, 0);
    let range = windows.seconds(windows.range);
    windows.for_each(samples.times, |k, lo, hi, end| {
        if hi < lo + 2 {
            output.set(k, lone.filter(|_| lo < hi));
            return;
        }
        while last < resets.len() && resets[last] < hi {
            last += 1;
        }
        while first < last && resets[first] <= lo {
            first += 1;
        }
        let mut result = values[hi - 1] - values[lo];
        for reset in resets.get(first..last).unwrap_or(&[]) {
            result += values[reset - 1];
        }
        let mut factor = extrapolation(samples, windows, (lo, hi, end), counter, result);
        if per_second {
            factor /= range;
        }
        output.set(k, Some(result * factor));
    });
}

/// Samples that are looked at together for falls, of which there are few.
const FALLS_CHUNK: usize = 64;

/// Positions of values below the one before, ascending.
fn falls(values: &[f64]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut start = 1;
    while start < values.len() {
        let end = (start + FALLS_CHUNK).min(values.len());
        let pairs = values[start - 1..end - 1].iter().zip(&values[start..end]);
        // Without a way out of the loop several pairs are compared at once.
        if pairs.fold(false, |any, (before, value)| any | (value < before)) {
            found.extend((start..end).filter(|at| values[*at] < values[at - 1]));
        }
        start = end;
    }
    found
}

/// How much longer the extrapolated stretch is than the sampled one.
#[inline]
pub(super) fn extrapolation(
    samples: Samples<'_>,
    windows: &Windows,
    (lo, hi, end): (usize, usize, i64),
    counter: bool,
    result: f64,
) -> f64 {
    let times = samples.times;
    let sampled = windows.seconds(times[hi - 1] - times[lo]);
    if sampled == 0.0 {
        return 1.0;
    }
    let mut to_start = windows.seconds(times[lo] - (end - windows.range));
    let mut to_end = windows.seconds(end - times[hi - 1]);
    let mean_distance = sampled / (hi - lo - 1) as f64;
    let threshold = mean_distance * EXTRAPOLATION_THRESHOLD;
    if to_start >= threshold {
        to_start = mean_distance / 2.0;
    }
    let first_value = samples.values[lo];
    if counter && result > 0.0 && first_value >= 0.0 {
        // A counter does not start below zero: do not extrapolate past where it would have.
        to_start = to_start.min(sampled * (first_value / result));
    }
    if to_end >= threshold {
        to_end = mean_distance / 2.0;
    }
    (sampled + to_start + to_end) / sampled
}

/// Per-second increase between the last two samples; after a reset the last value itself.
pub(super) fn irate(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi < lo + 2 {
            return;
        }
        let (before, value) = (samples.values[hi - 2], samples.values[hi - 1]);
        let increase = if value < before { value } else { value - before };
        let seconds = windows.seconds(samples.times[hi - 1] - samples.times[hi - 2]);
        output.set(k, (seconds > 0.0).then(|| increase / seconds));
    });
}

/// Difference of the last two samples.
pub(super) fn idelta(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi >= lo + 2 {
            output.set(k, Some(samples.values[hi - 1] - samples.values[hi - 2]));
        }
    });
}

/// Number of decreases.
pub(super) fn resets(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    pairs(samples, windows, output, |before, value| value < before);
}

/// Number of changes; from NaN to NaN is none.
pub(super) fn changes(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    pairs(samples, windows, output, |before, value| {
        value != before && !(value.is_nan() && before.is_nan())
    });
}

fn pairs(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    counts: impl Fn(f64, f64) -> bool,
) {
    let values = samples.values;
    let counted = Counts::new(values.len(), |at| at > 0 && counts(values[at - 1], values[at]));
    windows.for_each(samples.times, |k, lo, hi, _| {
        let count = f64::from(counted.within((lo + 1).min(hi), hi));
        output.set(k, (lo < hi).then_some(count));
    });
}
