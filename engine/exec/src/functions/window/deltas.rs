//! Series of delta temporality: each sample is what was added since the one before.
//!
//! Their increase over a window is the sum of its samples, which the functions of sums give; here
//! is what they do not give.

use super::mixed::{Sample, step};
use super::{MixedSamples, Output, Samples, Windows};
use crate::histogram::Histogram;

/// The last sample of each window per second since the sample before it, which is in the window.
pub(crate) fn last(samples: Samples<'_>, windows: &Windows, output: &mut Output<'_>) {
    windows.for_each(samples.times, |k, lo, hi, _| {
        if hi >= lo + 2 {
            let seconds = windows.seconds(samples.times[hi - 1] - samples.times[hi - 2]);
            output.set(k, Some(samples.values[hi - 1] / seconds));
        }
    });
}

/// The same with native histograms.
pub(crate) fn last_mixed(
    samples: MixedSamples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) {
    let (times, merged) = samples.all_merged();
    windows.for_each(&times, |k, lo, hi, _| {
        if hi < lo + 2 {
            return;
        }
        let seconds = windows.seconds(times[hi - 1] - times[hi - 2]);
        match (merged[hi - 2].1, merged[hi - 1].1) {
            (Sample::Number(_), Sample::Number(number)) => output.set(k, Some(number / seconds)),
            (Sample::Histogram(_), Sample::Histogram(last)) => {
                histograms.push((step(k), last.clone().scaled(1.0 / seconds)));
            }
            _ => {}
        }
    });
}
