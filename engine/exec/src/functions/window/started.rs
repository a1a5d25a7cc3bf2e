//! Counters that are known to begin at a start time, which came with each sample.
//!
//! A start time tells of a reset that the values hide, and that the counter stood at zero then:
//! what lies between it and the first sample is counted, and not extrapolated over.

use plan::node::WindowFunction;

use super::{Finding, Findings, Output, Samples, Windows, counter};
use crate::histogram::{Histogram, ResetHint};

/// The samples of a series with their start times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started<'a> {
    /// The samples.
    pub(crate) samples: Samples<'a>,
    /// One for each sample in the unit of the times; 0 where it is not known.
    pub(crate) starts: &'a [i64],
}

/// A sample's start time and its own.
type Times = (i64, i64);

/// Whether a counter began anew between two samples, as far as their times tell. One that starts
/// where the sample before it lies is an increase by itself, but if that has no start of its own
/// it may as well be the first of a counter whose beginning nobody saw.
fn is_new((before_start, before): Times, (start, time): Times) -> bool {
    if start == 0 || start >= time || start < before {
        return false;
    }
    start > before || (before_start != 0 && before_start < before)
}

impl Started<'_> {
    fn is_reset(&self, at: usize) -> bool {
        let (times, values) = (self.samples.times, self.samples.values);
        let time = |at: usize| (self.starts.get(at).copied().unwrap_or(0), times[at]);
        values[at] < values[at - 1] || is_new(time(at - 1), time(at))
    }
}

/// Marks the histograms before which a counter began anew.
pub(crate) fn hint_resets(times: &[i64], starts: &[i64], histograms: &mut [Histogram]) {
    for at in 1..histograms.len() {
        let is_gauge = histograms[at].hint == ResetHint::Gauge;
        if !is_gauge && is_new((starts[at - 1], times[at - 1]), (starts[at], times[at])) {
            histograms[at].hint = ResetHint::Reset;
        }
    }
}

/// Whether a sample's start time lies before the sample in front of it, though the counter is not
/// the one that this belongs to.
pub(super) fn overlaps(times: &[i64], starts: &[i64], at: usize) -> bool {
    starts[at] != 0 && starts[at] < times[at - 1] && starts[at] != starts[at - 1]
}

/// When the counter of a window's first sample stood at zero, if that is known and was within the
/// window. `times` are those of the window, at least one.
pub(super) fn beginning(start: i64, times: &[i64], end: i64, windows: &Windows) -> Option<i64> {
    let window_start = end.saturating_sub(windows.range);
    (start != 0 && start > window_start && start < times[0]).then_some(start)
}

/// How much longer the stretch up to the window's end is than that from the counter's beginning
/// to the last sample.
pub(super) fn extrapolation(times: &[i64], began: i64, end: i64, windows: &Windows) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let mean_distance = match times.len() {
        1 => 0.0,
        length => windows.seconds(last - first) / (length - 1) as f64,
    };
    let mut to_end = windows.seconds(end - last);
    if to_end >= mean_distance * counter::EXTRAPOLATION_THRESHOLD {
        to_end = mean_distance / 2.0;
    }
    let sampled = windows.seconds(last - began);
    (sampled + to_end) / sampled
}

/// `rate`, `increase`, `irate` and `resets` of such a counter; other functions take no part in it.
pub(crate) fn evaluate(
    function: &WindowFunction,
    started: Started<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
) -> Findings {
    use WindowFunction as F;
    let takes_part = matches!(function, F::Rate | F::Increase | F::Irate | F::Resets);
    if !takes_part || started.starts.iter().all(|start| *start == 0) {
        super::evaluate(function, started.samples, windows, output);
        return Findings::default();
    }
    let (times, values) = (started.samples.times, started.samples.values);
    let resets: Vec<usize> = (1..values.len()).filter(|at| started.is_reset(*at)).collect();
    // How many overlaps there are up to each sample.
    let mut count = 0_usize;
    let overlaps: Vec<usize> = (0..times.len())
        .map(|at| {
            count += usize::from(at > 0 && overlaps(times, started.starts, at));
            count
        })
        .collect();
    let within = |lo: usize, hi: usize| {
        let from = resets.partition_point(|at| *at <= lo);
        &resets[from..from + resets[from..].partition_point(|at| *at < hi)]
    };
    let mut findings = Findings::default();
    windows.for_each(times, |k, lo, hi, end| match function {
        _ if lo == hi => {}
        F::Resets => output.set(k, Some(within(lo, hi).len() as f64)),
        F::Irate => {
            if hi >= lo + 2 {
                let (before, value) = (values[hi - 2], values[hi - 1]);
                let is_reset = !within(hi - 2, hi).is_empty();
                let increase = if is_reset { value } else { value - before };
                let seconds = windows.seconds(times[hi - 1] - times[hi - 2]);
                output.set(k, Some(increase / seconds));
            }
        }
        _ => {
            let mut result = values[hi - 1] - values[lo];
            for reset in within(lo, hi) {
                result += values[reset - 1];
            }
            let mut factor = match beginning(started.starts[lo], &times[lo..hi], end, windows) {
                Some(began) => {
                    result += values[lo];
                    extrapolation(&times[lo..hi], began, end, windows)
                }
                None if hi < lo + 2 => return,
                None => {
                    let place = (lo, hi, end);
                    counter::extrapolation(started.samples, windows, place, true, result)
                }
            };
            if matches!(function, F::Rate) {
                factor /= windows.seconds(windows.range);
            }
            let overlaps = overlaps[lo] != overlaps[hi - 1];
            findings.add_if(overlaps, Finding::Overlap);
            output.set(k, Some(result * factor));
        }
    });
    findings
}

#[cfg(test)]
mod tests;
