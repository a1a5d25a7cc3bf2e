//! Functions of a window's values alone.

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

pub(super) fn sum(window: &[f64]) -> f64 {
    let mut sum = Sum::default();
    for value in window {
        sum.add(*value);
    }
    sum.total()
}

pub(super) fn avg(window: &[f64]) -> f64 {
    let mut mean = Mean::default();
    for value in window {
        mean.add(*value);
    }
    mean.value().unwrap_or(f64::NAN)
}

pub(super) fn min(window: &[f64]) -> f64 {
    window[at_min(window)]
}

pub(super) fn max(window: &[f64]) -> f64 {
    window[at_max(window)]
}

/// Position of the least value; a NaN gives way to any number.
pub(super) fn at_min(window: &[f64]) -> usize {
    best(window, |value, least| value < least)
}

/// Position of the greatest value; a NaN gives way to any number.
pub(super) fn at_max(window: &[f64]) -> usize {
    best(window, |value, greatest| value > greatest)
}

fn best(window: &[f64], better: impl Fn(f64, f64) -> bool) -> usize {
    let mut at = 0;
    for (i, value) in window.iter().enumerate().skip(1) {
        if better(*value, window[at]) || window[at].is_nan() {
            at = i;
        }
    }
    at
}

pub(super) fn variance(window: &[f64]) -> f64 {
    let mut moments = Moments::default();
    for value in window {
        moments.add(*value);
    }
    moments.variance().unwrap_or(f64::NAN)
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

pub(super) fn quantile(phi: f64, samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let mut scratch = Vec::new();
    windows.for_each(samples.times, |k, lo, hi, _| {
        if lo < hi {
            scratch.clear();
            scratch.extend_from_slice(&samples.values[lo..hi]);
            output.set(k, Some(rank::quantile(phi, &mut scratch)));
        }
    });
}

/// Median of the distances to the median.
pub(super) fn mad(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let mut scratch = Vec::new();
    windows.for_each(samples.times, |k, lo, hi, _| {
        if lo == hi {
            return;
        }
        let window = &samples.values[lo..hi];
        if window.iter().any(|value| value.is_nan()) {
            output.set(k, Some(f64::NAN));
            return;
        }
        scratch.clear();
        scratch.extend_from_slice(window);
        let median = rank::quantile(0.5, &mut scratch);
        scratch.iter_mut().for_each(|value| *value = (*value - median).abs());
        output.set(k, Some(rank::quantile(0.5, &mut scratch)));
    });
}
