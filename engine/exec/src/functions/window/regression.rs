//! Functions that fit a line or a smoothed trend to a window.

use super::{Output, Samples, Windows};
use crate::functions::compensated::Sum;

/// Slope per second of the least-squares line; needs two samples.
pub(super) fn deriv(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi >= lo + 2 {
            let (slope, _) = line(samples, windows, lo, hi, samples.times[lo]);
            output.set(k, Some(slope));
        }
    });
}

/// Value of the least-squares line `ahead` seconds after the step; needs two samples.
///
/// The step counts, wherever `offset` and `@` have moved the window.
pub(super) fn predict(
    ahead: f64,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi >= lo + 2 {
            let (slope, intercept) = line(samples, windows, lo, hi, windows.eval(k));
            output.set(k, Some(slope * ahead + intercept));
        }
    });
}

/// Slope and value at `origin` of the least-squares line.
fn line(samples: Samples<'_>, windows: &Windows, lo: usize, hi: usize, origin: i64) -> (f64, f64) {
    let values = &samples.values[lo..hi];
    if values.iter().all(|value| *value == values[0]) {
        let flat = values[0];
        return if flat.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, flat) };
    }
    let (mut x, mut y, mut xy, mut xx) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for at in lo..hi {
        let seconds = windows.seconds(samples.times[at] - origin);
        let value = samples.values[at];
        x.add(seconds);
        y.add(value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let count = (hi - lo) as f64;
    let covariance = xy.total() - x.total() * y.total() / count;
    let variance = xx.total() - x.total() * x.total() / count;
    let slope = covariance / variance;
    (slope, y.total() / count - slope * x.total() / count)
}

/// Holt's double exponential smoothing; needs two samples.
pub(super) fn smooth(
    smoothing: f64,
    trend: f64,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi < lo + 2 {
            return;
        }
        let values = &samples.values[lo..hi];
        let mut level = values[0];
        let mut slope = values[1] - values[0];
        for (i, value) in values.iter().enumerate().skip(1) {
            let before = level;
            let expected = if i == 1 { level + slope } else { before + slope };
            level = smoothing * value + (1.0 - smoothing) * expected;
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        output.set(k, Some(level));
    });
}
