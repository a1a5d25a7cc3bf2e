//! Functions of a window's values alone.

use super::ranked::{Distances, Ranked};
use super::sliding::{Counts, DIRECT_SAMPLES_MAX, Greatest, Least, folded, slide};
use super::{Output, Samples, Windows};
use crate::functions::compensated::{Mean, Moments, Sum};
use crate::functions::quantile as rank;

/// Applies `function` to the values of every window that is not empty.
pub(super) fn each(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    function: impl Fn(&[f64]) -> f64,
) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        output.set(k, (lo < hi).then(|| function(&samples.values[lo..hi])));
    });
}

/// `sum_over_time`: what `of` makes of the sum of every window that is not empty.
pub(super) fn sum(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    of: impl Fn(f64) -> f64,
) {
    let whole = |window: &[f64]| {
        let mut sum = Sum::default();
        window.iter().for_each(|value| sum.add(*value));
        of(sum.total())
    };
    folded(samples, windows, output, &of, whole, |sum: Sum, _| of(sum.total()));
}

/// `avg_over_time`.
pub(super) fn avg(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let whole = |window: &[f64]| {
        let mut mean = Mean::default();
        window.iter().for_each(|value| mean.add(*value));
        mean.value().unwrap_or(f64::NAN)
    };
    folded(samples, windows, output, |infinity| infinity, whole, |sum: Sum, n| sum.mean(n as f64));
}

/// `stdvar_over_time`: what `of` makes of the population variance.
pub(super) fn variance(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    of: impl Fn(f64) -> f64,
) {
    let value = |moments: &Moments| of(moments.variance().unwrap_or(f64::NAN));
    let whole = |window: &[f64]| {
        let mut moments = Moments::default();
        window.iter().for_each(|value| moments.add(*value));
        value(&moments)
    };
    folded(samples, windows, output, |_| f64::NAN, whole, |moments: Moments, _| value(&moments));
}

/// Calls `each(k, position)` with the position in the series of the least value of every window
/// that is not empty; a NaN gives way to any number.
pub(super) fn least(samples: Samples<'_>, windows: &Windows, mut each: impl FnMut(usize, usize)) {
    slide(samples, windows, 0, |k, _, _, part| part.into_iter().for_each(|Least(at)| each(k, at)));
}

/// The same with the greatest value.
pub(super) fn greatest(
    samples: Samples<'_>,
    windows: &Windows,
    mut each: impl FnMut(usize, usize),
) {
    let mut each_of = |k, part: Option<Greatest>| part.into_iter().for_each(|at| each(k, at.0));
    slide(samples, windows, 0, |k, _, _, part| each_of(k, part));
}

/// The time in seconds of the sample that `pick` chooses from every window.
pub(super) fn time_of(
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    pick: impl Fn(&[f64]) -> usize,
) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        let time = |at: usize| windows.seconds(samples.times[lo + at]);
        output.set(k, (lo < hi).then(|| time(pick(&samples.values[lo..hi]))));
    });
}

/// `quantile_over_time`: windows that overlap much share one ordered set, whose changes and looks
/// cost the logarithm of the samples; others are sorted.
pub(super) fn quantile(phi: f64, samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    if windows.overlap_much() && (0.0..=1.0).contains(&phi) {
        let mut ranked = Ranked::new(samples.values);
        return windows.for_each(samples.times, |k, lo, hi, _| {
            ranked.move_to(lo, hi);
            output.set(k, (lo < hi).then(|| rank::between(phi, hi - lo, |at| ranked.get(at))));
        });
    }
    let mut scratch = Vec::new();
    windows.for_each(samples.times, |k, lo, hi, _| {
        if lo < hi {
            scratch.clear();
            scratch.extend_from_slice(&samples.values[lo..hi]);
            output.set(k, Some(rank::quantile(phi, &mut scratch)));
        }
    });
}

/// Median of the distances to the median: like [`quantile`], windows that overlap much share one
/// ordered set, and the distances need not be ordered, since those to either side of the median
/// are.
pub(super) fn mad(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let odd = Counts::new(samples.values.len(), |at| !samples.values[at].is_finite());
    let mut ranked = windows.overlap_much().then(|| Ranked::new(samples.values));
    let mut scratch = Vec::new();
    windows.for_each(samples.times, |k, lo, hi, _| {
        if lo == hi {
            return;
        }
        let is_long = hi - lo > DIRECT_SAMPLES_MAX && odd.within(lo, hi) == 0;
        let value = match &mut ranked {
            Some(ranked) if is_long => {
                ranked.move_to(lo, hi);
                let median = rank::between(0.5, hi - lo, |at| ranked.get(at));
                let distances = Distances::new(ranked, median, hi - lo);
                let distance = |at| distances.get(at);
                median.is_finite().then(|| rank::between(0.5, hi - lo, distance))
            }
            _ => None,
        };
        let window = &samples.values[lo..hi];
        output.set(k, Some(value.unwrap_or_else(|| mad_of(window, &mut scratch))));
    });
}

fn mad_of(window: &[f64], scratch: &mut Vec<f64>) -> f64 {
    if window.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    scratch.clear();
    scratch.extend_from_slice(window);
    let median = rank::quantile(0.5, scratch);
    scratch.iter_mut().for_each(|value| *value = (*value - median).abs());
    rank::quantile(0.5, scratch)
}
