//! Windows whose edges lie on or between samples: `anchored` and `smoothed`.
//!
//! ```text
//!  samples      ·a       b·    ·     ·c        d·
//!  window            (start           end]
//!  anchored      a ─────────────────── c             the newest sample not after each edge
//!  smoothed           a–b            c–d             where the lines cross the edges
//! ```
//!
//! Nothing is extrapolated: where there is no sample before the start, or for `smoothed` none
//! after the end, the first and last samples within the window take their places.

use plan::node::WindowFunction;

use super::{Output, Samples, Windows};

/// How far outside a window its edges look for samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// In the unit of the windows; positive.
    pub(crate) lookback: i64,
    /// Whether samples after the end count, and values are taken on the line between two.
    pub(crate) smoothed: bool,
}

impl Reach {
    /// The first and last sample that count for the window `times[lo..hi]` that ends at `end`;
    /// `None` if nothing lies after its start or nothing lies before its end.
    pub(super) fn samples(
        self,
        times: &[i64],
        windows: &Windows,
        (lo, hi, end): (usize, usize, i64),
    ) -> Option<(usize, usize)> {
        let start = end.saturating_sub(windows.range);
        let oldest = start.saturating_sub(self.lookback);
        let first = lo.checked_sub(1).filter(|at| times[*at] > oldest).unwrap_or(lo);
        let ends_on_sample = lo < hi && times[hi - 1] == end;
        let looks_ahead = self.smoothed && !ends_on_sample;
        let newest = end.saturating_add(self.lookback);
        let has_next = looks_ahead && times.get(hi).is_some_and(|time| *time <= newest);
        let after = if has_next { hi + 1 } else { hi };
        let last = after.checked_sub(1)?;
        (first <= last && times[first] <= end && times[last] > start).then_some((first, last))
    }
}

/// The value at `time` on the line between two samples; that of a counter that was reset between
/// them rises from zero.
fn between(samples: Samples<'_>, before: usize, time: i64, is_counter: bool) -> f64 {
    let (times, values) = (samples.times, samples.values);
    let after = values[before + 1];
    let is_reset = is_counter && after < values[before];
    let before_value = if is_reset { 0.0 } else { values[before] };
    let part = (time - times[before]) as f64;
    before_value + (after - before_value) * part / (times[before + 1] - times[before]) as f64
}

/// A function with such edges; for functions that have none the edges do not matter.
pub(crate) fn evaluate(
    function: &WindowFunction,
    reach: Reach,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    use WindowFunction as F;
    match function {
        F::Rate | F::RateCounter | F::Increase | F::Delta => {
            difference(function, reach, samples, windows, output);
        }
        F::Resets => pairs(reach, samples, windows, output, |before, value| value < before),
        F::Changes => pairs(reach, samples, windows, output, |before, value| {
            value != before && !(value.is_nan() && before.is_nan())
        }),
        _ => super::evaluate(function, samples, windows, output),
    }
}

/// The value at the right edge less that at the left one; counters get the values before each
/// reset added. Resets are found once for the series, as in `counter`.
fn difference(
    function: &WindowFunction,
    reach: Reach,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    let is_counter = !matches!(function, WindowFunction::Delta);
    let is_rate = matches!(function, WindowFunction::Rate | WindowFunction::RateCounter);
    let (times, values) = (samples.times, samples.values);
    let resets: Vec<usize> = if is_counter {
        (1..values.len()).filter(|at| values[*at] < values[at - 1]).collect()
    } else {
        Vec::new()
    };
    windows.for_each(times, |k, lo, hi, end| {
        let Some((first, last)) = reach.samples(times, windows, (lo, hi, end)) else { return };
        let start = end.saturating_sub(windows.range);
        let left = if reach.smoothed && times[first] < start {
            between(samples, first, start, is_counter)
        } else {
            values[first]
        };
        let right = if times[last] > end {
            between(samples, last - 1, end, is_counter)
        } else {
            values[last]
        };
        let mut result = right - left;
        if is_counter {
            // The samples strictly between the edges; the edges take resets around them in.
            let inner = first + usize::from(times[first] <= start);
            let after = last + 1 - usize::from(times[last] >= end);
            result += corrections(values, &resets, inner..after.max(inner), (left, right));
        }
        if is_rate {
            result /= windows.seconds(windows.range);
        }
        output.set(k, Some(result));
    });
}

/// The sum of the values before each decrease from the left edge over the inner samples to the
/// right edge, in order.
fn corrections(
    values: &[f64],
    resets: &[usize],
    inner: std::ops::Range<usize>,
    (left, right): (f64, f64),
) -> f64 {
    let mut sum = 0.0;
    let mut previous = left;
    if !inner.is_empty() {
        if values[inner.start] < left {
            sum += left;
        }
        let from = resets.partition_point(|at| *at <= inner.start);
        for reset in resets[from..].iter().take_while(|at| **at < inner.end) {
            sum += values[reset - 1];
        }
        previous = values[inner.end - 1];
    }
    if right < previous {
        sum += previous;
    }
    sum
}

/// Counts neighbours, the sample before the window among them.
fn pairs(
    reach: Reach,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    counts: impl Fn(f64, f64) -> bool,
) {
    let values = samples.values;
    // Of neighbours that count, as many as there are up to each sample.
    let mut counted = Vec::with_capacity(values.len());
    let mut count = 0_u32;
    for at in 0..values.len() {
        count += u32::from(at > 0 && counts(values[at - 1], values[at]));
        counted.push(count);
    }
    windows.for_each(samples.times, |k, lo, hi, end| {
        let found = reach.samples(samples.times, windows, (lo, hi, end));
        output.set(k, found.map(|(first, last)| f64::from(counted[last] - counted[first])));
    });
}

/// At each step the value of the sample at that time, or that on the line between its neighbours,
/// neither of which is a range away; without a later one that of the earlier one.
pub(crate) fn smoothed(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    let times = samples.times;
    windows.for_each(times, |k, lo, hi, end| {
        if lo == hi {
            return;
        }
        let newest = end.saturating_add(windows.range);
        let has_next = times[hi - 1] < end && times.get(hi).is_some_and(|time| *time <= newest);
        output.set(
            k,
            Some(match has_next {
                true => between(samples, hi - 1, end, false),
                false => samples.values[hi - 1],
            }),
        );
    });
}

#[cfg(test)]
mod tests;
