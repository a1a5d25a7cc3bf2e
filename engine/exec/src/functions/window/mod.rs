//! Functions over sliding windows: one pass over the samples of a series, no copies of windows.
//!
//! ```text
//!  samples   ·  ·  · ·   ·   ·  ·      sorted by time
//!  window k        (lo────────hi]      (t - range, t], both edges only ever move right
//!  out[k] = f(samples[lo..hi])
//! ```
//!
//! Semantics are those of Prometheus: windows are open on the left; NaN is a value; a function
//! that has no answer for a window leaves the step without a value.

mod counter;
mod deltas;
mod edges;
mod edges_mixed;
mod findings;
mod mixed;
mod ranked;
mod regression;
mod sliding;
mod smoothing;
mod started;
mod stepwise;
mod values;

use std::ops::Range;

use plan::node::WindowFunction;

pub(crate) use self::deltas::{last as last_delta, last_mixed as last_delta_mixed};
pub(crate) use self::edges::{Reach, evaluate as evaluate_edged, smoothed};
pub(crate) use self::edges_mixed::{evaluate as edged_mixed, smoothed as smoothed_mixed};
pub(crate) use self::findings::{Finding, Findings};
pub(crate) use self::mixed::MixedSamples;
pub(crate) use self::mixed::{
    evaluate as evaluate_mixed, evaluate_histograms, newest as newest_mixed,
};
pub(crate) use self::started::{Started, evaluate as evaluate_started, hint_resets};
pub(crate) use self::stepwise::Stepwise;

/// The bits of the NaN that marks the end of a series.
pub(crate) const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is a stale marker.
pub(crate) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// The samples of one series: as many times as values, times strictly ascending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Samples<'a> {
    /// In the unit of [`Windows`].
    pub(crate) times: &'a [i64],
    /// One for each time.
    pub(crate) values: &'a [f64],
}

impl Samples<'_> {
    /// The time of a sample in seconds.
    fn seconds(&self, windows: &Windows, at: usize) -> f64 {
        windows.seconds(self.times[at])
    }
}

/// Where the windows lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// End of the first window, inclusive: the first step moved by offset, or the fixed time.
    pub(crate) first_end: i64,
    /// Distance between the ends of two windows; 0 if every step has the same window.
    pub(crate) step: i64,
    /// The first step itself, moved by nothing.
    pub(crate) first_eval: i64,
    /// Distance between two steps.
    pub(crate) eval_step: i64,
    /// Number of windows.
    pub(crate) count: usize,
    /// Width of a window; positive.
    pub(crate) range: i64,
    /// Time units in a second.
    pub(crate) units_per_second: f64,
}

/// An edge of a window: the number of samples up to a time.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    at: usize,
    /// How far it moved the last time.
    stride: usize,
}

impl Edge {
    /// Moves on to `time`, not beyond `limit`.
    #[inline]
    fn move_to(&mut self, times: &[i64], time: i64, limit: usize) {
        let guess = self.at + self.stride;
        let is_reached = guess <= limit && (guess == 0 || times[guess - 1] <= time);
        if is_reached && (guess == limit || times[guess] > time) {
            self.at = guess;
            return;
        }
        let before = self.at;
        while self.at < limit && times[self.at] <= time {
            self.at += 1;
        }
        self.stride = self.at - before;
    }
}

impl Windows {
    /// Calls `window(k, lo, hi, end)` for every window `samples[lo..hi]`, in order.
    ///
    /// Samples mostly come at even distances, so each edge is first looked for as far on as it
    /// moved the last time: then a window costs the same however many samples a step passes.
    #[inline]
    fn for_each(&self, times: &[i64], mut window: impl FnMut(usize, usize, usize, i64)) {
        let (mut lo, mut hi) = (Edge::default(), Edge::default());
        let mut end = self.first_end;
        for k in 0..self.count {
            hi.move_to(times, end, times.len());
            lo.move_to(times, end.saturating_sub(self.range), hi.at);
            window(k, lo.at, hi.at, end);
            end = end.saturating_add(self.step);
        }
    }

    /// Whether a sample is in more than two windows or so.
    fn overlap_much(&self) -> bool {
        self.step == 0 || self.range / self.step >= 2
    }

    /// The windows of some of the steps.
    fn part(&self, steps: &Range<usize>) -> Self {
        let first = i64::try_from(steps.start).unwrap_or(i64::MAX);
        let first_end = self.first_end.saturating_add(self.step.saturating_mul(first));
        Self { first_end, first_eval: self.eval(steps.start), count: steps.len(), ..*self }
    }

    /// The k-th step.
    fn eval(&self, k: usize) -> i64 {
        let steps = i64::try_from(k).unwrap_or(i64::MAX);
        self.first_eval.saturating_add(self.eval_step.saturating_mul(steps))
    }

    /// Seconds of a distance in time.
    fn seconds(&self, distance: i64) -> f64 {
        distance as f64 / self.units_per_second
    }
}

/// The values of a function at every step, `None` as `valid[k] == false`.
pub(crate) struct Output<'a> {
    /// One for each window.
    pub(crate) values: &'a mut [f64],
    /// Whether the value counts.
    pub(crate) valid: &'a mut [bool],
}

impl Output<'_> {
    /// The values of some of the steps.
    fn part(&mut self, steps: &Range<usize>) -> Output<'_> {
        Output { values: &mut self.values[steps.clone()], valid: &mut self.valid[steps.clone()] }
    }

    fn set(&mut self, k: usize, value: Option<f64>) {
        if let Some(value) = value {
            self.values[k] = value;
            self.valid[k] = true;
        }
    }
}

/// The newest sample of each window, none if that is a stale marker.
pub(crate) fn newest(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        let value = (lo < hi).then(|| samples.values[hi - 1]);
        output.set(k, value.filter(|value| !is_stale(*value)));
    });
}

/// The time of the newest sample of each window in seconds, none if that is a stale marker.
pub(crate) fn newest_time(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        let fresh = lo < hi && !is_stale(samples.values[hi - 1]);
        output.set(k, fresh.then(|| windows.seconds(samples.times[hi - 1])));
    });
}

/// A function over each window of samples that hold no stale markers.
pub(crate) fn evaluate(
    function: &WindowFunction,
    samples: Samples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) {
    use WindowFunction as F;
    match function {
        F::Rate | F::RateCounter | F::Increase | F::Delta => {
            counter::extrapolated(function, samples, windows, output)
        }
        F::Irate => counter::irate(samples, windows, output),
        F::Idelta => counter::idelta(samples, windows, output),
        F::Resets => counter::resets(samples, windows, output),
        F::Changes => counter::changes(samples, windows, output),
        F::Deriv => regression::deriv(samples, windows, output),
        F::PredictLinear(ahead) => regression::predict(*ahead, samples, windows, output),
        F::DoubleExponentialSmoothing { smoothing, trend } => {
            smoothing::smooth(*smoothing, *trend, samples, windows, output);
        }
        F::PerSecond | F::BytesPerSecond => {
            let range = windows.seconds(windows.range);
            values::sum(samples, windows, output, |sum| sum / range);
        }
        F::Sum | F::Bytes => values::sum(samples, windows, output, |sum| sum),
        F::Avg => values::avg(samples, windows, output),
        F::Min => {
            values::least(samples, windows, |k, at| output.set(k, Some(samples.values[at])));
        }
        F::Max => {
            values::greatest(samples, windows, |k, at| output.set(k, Some(samples.values[at])));
        }
        F::Count => values::each(samples, windows, output, |window| window.len() as f64),
        F::Present | F::Absent(_) => values::each(samples, windows, output, |_| 1.0),
        F::Last => values::each(samples, windows, output, |window| window[window.len() - 1]),
        F::First => values::each(samples, windows, output, |window| window[0]),
        F::Quantile(phi) => values::quantile(*phi, samples, windows, output),
        F::Mad => values::mad(samples, windows, output),
        F::Stdvar => values::variance(samples, windows, output, |variance| variance),
        F::Stddev => values::variance(samples, windows, output, f64::sqrt),
        F::TimeOfFirst => values::time_of(samples, windows, output, |_| 0),
        F::TimeOfLast => values::time_of(samples, windows, output, |window| window.len() - 1),
        F::TimeOfMin => {
            values::least(samples, windows, |k, at| {
                output.set(k, Some(samples.seconds(windows, at)))
            });
        }
        F::TimeOfMax => {
            values::greatest(samples, windows, |k, at| {
                output.set(k, Some(samples.seconds(windows, at)));
            });
        }
    }
}

#[cfg(test)]
mod tests;
