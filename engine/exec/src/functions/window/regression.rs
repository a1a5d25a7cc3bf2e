//! Functions that fit a line to a window.

use super::sliding::{Counts, DIRECT_SAMPLES_MAX, Part, slide};
use super::{Output, Samples, Windows};
use crate::functions::compensated::{Joint, Sum};

/// Slope per second of the least-squares line; needs two samples.
pub(super) fn deriv(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let origin = |_, lo: usize| samples.times[lo];
    lines(samples, windows, origin, |k, (slope, _)| output.set(k, Some(slope)));
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
    let origin = |k, _| windows.eval(k);
    lines(samples, windows, origin, |k, (slope, intercept)| {
        output.set(k, Some(slope * ahead + intercept));
    });
}

/// Calls `each` with slope and value at `origin(k, lo)` of the least-squares line of every window
/// of two samples or more.
///
/// Long windows that overlap are put together from parts. Their lines differ from those that are
/// fitted to a window by itself by the rounding of the joined moments, which are compensated: some
/// units in the last place of the greatest distances of times and of values to their means.
fn lines(
    samples: Samples<'_>,
    windows: &Windows,
    origin: impl Fn(usize, usize) -> i64,
    mut each: impl FnMut(usize, (f64, f64)),
) {
    let values = samples.values;
    let alone = |k, lo, hi| line(samples, windows, lo, hi, origin(k, lo));
    if !windows.overlap_much() {
        return windows.for_each(samples.times, |k, lo, hi, _| {
            if hi >= lo + 2 {
                each(k, alone(k, lo, hi));
            }
        });
    }
    let odd = Counts::new(values.len(), |at| !values[at].is_finite());
    let changes = Counts::new(values.len(), |at| at > 0 && values[at] != values[at - 1]);
    slide(samples, windows, DIRECT_SAMPLES_MAX, |k, lo, hi, joint: Option<Joint>| {
        if hi < lo + 2 {
            return;
        }
        let is_plain = odd.within(lo, hi) == 0 && changes.within(lo + 1, hi) > 0;
        let fitted = joint.filter(|_| is_plain).map(|joint| {
            let slope = joint.slope();
            let distance = (origin(k, lo) - samples.times[0]) as f64;
            (slope * windows.units_per_second, joint.value(distance))
        });
        let is_finite = |fit: &(f64, f64)| fit.0.is_finite() && fit.1.is_finite();
        each(k, fitted.filter(is_finite).unwrap_or_else(|| alone(k, lo, hi)));
    });
}

impl Part for Joint {
    fn of(samples: Samples<'_>, at: usize) -> Self {
        // Distances to the first sample are exact.
        Self::of((samples.times[at] - samples.times[0]) as f64, samples.values[at])
    }

    fn join(self, next: Self, _: Samples<'_>) -> Self {
        self.join(next)
    }
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
