//! `anchored` and `smoothed` windows of series that have native histograms, alone or among
//! numbers. Rules are those of [`super::edges`], number by number of a histogram.

use plan::node::WindowFunction;

use super::edges::{self, Reach};
use super::mixed::{Sample, is_change, is_reset, pairs, step};
use super::{Finding, Findings, MixedSamples, Output, Samples, Windows};
use crate::histogram::{Histogram, ResetHint, detect_reset};

/// A function with such edges; a window of both kinds of samples has no value but where
/// neighbours are counted.
pub(crate) fn evaluate(
    function: &WindowFunction,
    reach: Reach,
    samples: MixedSamples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) -> Findings {
    let mut findings = Findings::default();
    let (times, merged) = samples.all_merged();
    let is_rate = matches!(function, WindowFunction::Rate | WindowFunction::RateCounter);
    windows.for_each(&times, |k, lo, hi, end| {
        let Some((first, last)) = reach.samples(&times, windows, (lo, hi, end)) else { return };
        let window = &merged[first..=last];
        match function {
            WindowFunction::Changes => return output.set(k, Some(pairs(window, is_change))),
            WindowFunction::Resets => return output.set(k, Some(pairs(window, is_reset))),
            _ => {}
        }
        if let Some(numbers) = of_numbers(window) {
            output.set(k, number(function, reach, &numbers, windows, end));
        } else if let Some(found) = of_histograms(window) {
            let is_counter = !matches!(function, WindowFunction::Delta);
            let edges = (end.saturating_sub(windows.range), end);
            let grown = grown(&found, edges, reach.smoothed, is_counter);
            let per = if is_rate { windows.seconds(windows.range) } else { 1.0 };
            note(&found, is_counter, grown.is_none(), &mut findings);
            histograms.extend(grown.map(|grown| (step(k), grown.divided(per))));
        } else {
            findings.add(Finding::Mixed);
        }
    });
    findings
}

/// What is worth telling about a window of histograms.
fn note(
    window: &[(i64, &Histogram)],
    is_counter: bool,
    is_incompatible: bool,
    findings: &mut Findings,
) {
    let is_gauge = |sample: &(i64, &Histogram)| sample.1.hint == ResetHint::Gauge;
    let both = window.first().is_some_and(is_gauge) && window.last().is_some_and(is_gauge);
    findings.add_if(is_counter && window.iter().any(is_gauge), Finding::NotCounter);
    findings.add_if(!is_counter && !both, Finding::NotGauge);
    findings.add_if(is_incompatible, Finding::MixedBuckets);
}

/// The numbers of a window that has nothing else.
fn of_numbers(window: &[(i64, Sample<'_>)]) -> Option<(Vec<i64>, Vec<f64>)> {
    let number = |sample: &(i64, Sample<'_>)| match sample.1 {
        Sample::Number(number) => Some((sample.0, number)),
        Sample::Histogram(_) => None,
    };
    window.iter().map(number).collect()
}

/// The histograms of a window that has nothing else.
fn of_histograms<'a>(window: &[(i64, Sample<'a>)]) -> Option<Vec<(i64, &'a Histogram)>> {
    let histogram = |sample: &(i64, Sample<'a>)| match sample.1 {
        Sample::Number(_) => None,
        Sample::Histogram(histogram) => Some((sample.0, histogram)),
    };
    window.iter().map(histogram).collect()
}

fn number(
    function: &WindowFunction,
    reach: Reach,
    (times, values): &(Vec<i64>, Vec<f64>),
    windows: &Windows,
    end: i64,
) -> Option<f64> {
    let one = Windows { first_end: end, count: 1, ..*windows };
    let (mut value, mut valid) = ([0.0], [false]);
    let output = &mut Output { values: &mut value, valid: &mut valid };
    edges::evaluate(function, reach, Samples { times, values }, &one, output);
    valid[0].then_some(value[0])
}

/// How much a histogram grew between the edges; `None` if exponential and custom buckets meet.
fn grown(
    window: &[(i64, &Histogram)],
    (start, end): (i64, i64),
    smoothed: bool,
    is_counter: bool,
) -> Option<Histogram> {
    let last = window.len() - 1;
    let starts_between = smoothed && window[0].0 < start;
    let left = match starts_between {
        true => between(window[0], window[1], start, is_counter)?,
        false => window[0].1.clone(),
    };
    let right = match window[last].0 > end {
        true => between(window[last - 1], window[last], end, is_counter)?,
        false => window[last].1.clone(),
    };
    let mut grown = right.minus(&left)?.0;
    // A line from zero has taken the reset in that it crosses.
    let from = if starts_between { 2 } else { 1 };
    for at in (from..=last).filter(|_| is_counter) {
        let before = window[at - 1].1;
        if detect_reset(before, window[at].1) {
            grown = grown.plus(before)?.0;
        }
    }
    Some(grown.hinted(ResetHint::Gauge).compacted())
}

/// The histogram at `time` on the line between two; `None` if exponential and custom buckets meet.
fn between(
    before: (i64, &Histogram),
    after: (i64, &Histogram),
    time: i64,
    is_counter: bool,
) -> Option<Histogram> {
    if before.1.is_custom() != after.1.is_custom() {
        return None;
    }
    let part = (time - before.0) as f64 / (after.0 - before.0) as f64;
    if is_counter && detect_reset(before.1, after.1) {
        return Some(after.1.clone().scaled(part));
    }
    let more = after.1.clone().minus(before.1)?.0.scaled(part);
    let between = before.1.clone().plus(&more)?.0;
    let is_gauge = after.1.hint == ResetHint::Gauge;
    let hint = if is_gauge { ResetHint::Gauge } else { ResetHint::Unknown };
    Some(between.hinted(hint).compacted())
}

/// The value at each step as [`edges::smoothed`] has it; none where numbers and histograms are
/// both within a range of the step.
pub(crate) fn smoothed(
    samples: MixedSamples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) -> Findings {
    let mut findings = Findings::default();
    let (times, merged) = samples.all_merged();
    let mut after = 0;
    windows.for_each(&times, |k, lo, hi, end| {
        let newest = end.saturating_add(windows.range);
        after = after.max(hi);
        while after < times.len() && times[after] <= newest {
            after += 1;
        }
        let window = &merged[lo..after];
        if lo == hi {
            return;
        }
        let at = hi - lo - 1;
        if let Some((times, values)) = of_numbers(window) {
            let one = Windows { first_end: end, count: 1, ..*windows };
            let (mut value, mut valid) = ([0.0], [false]);
            let single = &mut Output { values: &mut value, valid: &mut valid };
            edges::smoothed(Samples { times: &times, values: &values }, &one, single);
            output.set(k, valid[0].then_some(value[0]));
        } else if let Some(found) = of_histograms(window) {
            let value = match found.get(at + 1) {
                Some(next) if found[at].0 < end => {
                    let is_counter = next.1.hint != ResetHint::Gauge;
                    between(found[at], *next, end, is_counter)
                }
                _ => Some(found[at].1.clone()),
            };
            findings.add_if(value.is_none(), Finding::MixedBuckets);
            histograms.extend(value.map(|value| (step(k), value)));
        } else {
            findings.add(Finding::Mixed);
        }
    });
    findings
}

#[cfg(test)]
mod tests;
