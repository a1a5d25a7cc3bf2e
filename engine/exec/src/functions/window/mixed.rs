//! Functions over windows of series that have native histograms, alone or among numbers.
//!
//! Numbers are evaluated as if they were alone; then each window that holds histograms is looked
//! at again. Where a function has no meaning for histograms it keeps what the numbers gave; where
//! it has one for either but not for both in one window, the window has no value.

use std::ops::Range;

use plan::node::WindowFunction;

use super::{Finding, Findings, Output, Samples, Windows, counter, started};
use crate::histogram::{self, Conflict, Histogram, Outcome, ResetHint, Sum};

/// The samples of one series: strictly ascending times of each kind, no time in both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MixedSamples<'a> {
    /// Numbers.
    pub(crate) numbers: Samples<'a>,
    /// When there is a histogram.
    pub(crate) times: &'a [i64],
    /// One for each of `times`.
    pub(crate) histograms: &'a [Histogram],
    /// When the counter of each histogram began, 0 where it is not known; empty where start times
    /// play no part.
    pub(crate) starts: &'a [i64],
}

/// One sample.
#[derive(Clone, Copy)]
pub(super) enum Sample<'a> {
    /// A number.
    Number(f64),
    /// A histogram.
    Histogram(&'a Histogram),
}

/// What a window of histograms gives.
enum Found {
    Nothing,
    Number(f64),
    Histogram(Histogram),
}

impl<'a> MixedSamples<'a> {
    /// The windows' ranges in both kinds of samples, and their ends.
    fn windows(&self, windows: &Windows) -> Vec<(Range<usize>, Range<usize>, i64)> {
        let mut ranges = Vec::with_capacity(windows.count);
        windows.for_each(self.numbers.times, |_, lo, hi, end| ranges.push((lo..hi, 0..0, end)));
        windows.for_each(self.times, |k, lo, hi, _| ranges[k].1 = lo..hi);
        ranges
    }

    /// All samples of a window, in order of time.
    pub(super) fn merged(
        &self,
        numbers: Range<usize>,
        histograms: Range<usize>,
    ) -> Vec<(i64, Sample<'a>)> {
        let number = |at: usize| (self.numbers.times[at], Sample::Number(self.numbers.values[at]));
        let histogram = |at: usize| (self.times[at], Sample::Histogram(&self.histograms[at]));
        let mut merged: Vec<(i64, Sample<'a>)> =
            numbers.map(number).chain(histograms.map(histogram)).collect();
        merged.sort_by_key(|sample| sample.0);
        merged
    }

    /// The samples of all windows in order of time, and before them their times alone.
    pub(super) fn all_merged(&self) -> (Vec<i64>, Vec<(i64, Sample<'a>)>) {
        let merged = self.merged(0..self.numbers.times.len(), 0..self.times.len());
        (merged.iter().map(|sample| sample.0).collect(), merged)
    }
}

/// The newest sample of each window, none if that is a stale marker; its time in seconds in place
/// of it if `times` says so.
pub(crate) fn newest(
    samples: MixedSamples<'_>,
    windows: &Windows,
    times: bool,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) {
    if times {
        super::newest_time(samples.numbers, windows, output);
    } else {
        super::newest(samples.numbers, windows, output);
    }
    for (k, (number, of_histograms, _)) in samples.windows(windows).into_iter().enumerate() {
        let Some(last) = of_histograms.last() else { continue };
        let number = number.last().map(|at| samples.numbers.times[at]);
        if number.is_some_and(|time| time > samples.times[last]) {
            continue;
        }
        output.valid[k] = false;
        let found = &samples.histograms[last];
        if found.is_stale() {
            continue;
        }
        if times {
            output.set(k, Some(windows.seconds(samples.times[last])));
        } else {
            histograms.push((step(k), found.clone()));
        }
    }
}

/// A function over each window of samples that hold no stale markers; what was found in them.
pub(crate) fn evaluate(
    function: &WindowFunction,
    samples: MixedSamples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) -> Findings {
    super::evaluate(function, samples.numbers, windows, output);
    evaluate_histograms(function, samples, windows, output, histograms)
}

/// The same where the numbers were evaluated already: windows that hold histograms are overruled.
pub(crate) fn evaluate_histograms(
    function: &WindowFunction,
    samples: MixedSamples<'_>,
    windows: &Windows,
    output: &mut Output<'_>,
    histograms: &mut Vec<(u32, Histogram)>,
) -> Findings {
    let mut findings = Findings::default();
    for (k, (numbers, of_histograms, end)) in samples.windows(windows).into_iter().enumerate() {
        if of_histograms.is_empty() {
            continue;
        }
        let window = Window { samples: &samples, numbers, histograms: of_histograms, end };
        let Some(found) = window.evaluate(function, windows, &mut findings) else {
            findings.add_if(!window.numbers.is_empty(), Finding::Ignored);
            continue;
        };
        output.valid[k] = false;
        match found {
            Found::Nothing => {}
            Found::Number(number) => output.set(k, Some(number)),
            Found::Histogram(histogram) => histograms.push((step(k), histogram)),
        }
    }
    findings
}

pub(super) fn step(k: usize) -> u32 {
    u32::try_from(k).unwrap_or(u32::MAX)
}

/// A window with at least one histogram.
struct Window<'a> {
    samples: &'a MixedSamples<'a>,
    numbers: Range<usize>,
    histograms: Range<usize>,
    end: i64,
}

impl<'a> Window<'a> {
    /// What takes the place of the answer of the numbers; `None` leaves that.
    fn evaluate(
        &self,
        function: &WindowFunction,
        windows: &Windows,
        findings: &mut Findings,
    ) -> Option<Found> {
        use WindowFunction as F;
        let is_mixed = !self.numbers.is_empty();
        Some(match function {
            F::Rate | F::RateCounter | F::Increase | F::Delta | F::Sum | F::Avg | F::PerSecond
                if is_mixed =>
            {
                findings.add(Finding::Mixed);
                Found::Nothing
            }
            F::Rate | F::RateCounter | F::Increase | F::Delta => {
                self.extrapolated(function, windows, findings)
            }
            F::Irate => self.last_two(true, windows, findings),
            F::Idelta => self.last_two(false, windows, findings),
            F::Sum => found(self.sum(Sum::add, findings).map(Sum::total)),
            F::PerSecond => {
                let per_second = 1.0 / windows.seconds(windows.range);
                let sum = self.sum(Sum::add, findings).map(Sum::total);
                found(sum.map(|sum| sum.scaled(per_second)))
            }
            F::Avg => found(self.sum(Sum::add_to_mean, findings).map(Sum::mean)),
            F::Count => Found::Number((self.numbers.len() + self.histograms.len()) as f64),
            F::Present | F::Absent(_) => Found::Number(1.0),
            F::Last | F::First | F::TimeOfFirst | F::TimeOfLast => self.edge(function, windows),
            F::Changes => Found::Number(pairs(&self.all(), is_change)),
            F::Resets => Found::Number(pairs(&self.all(), is_reset)),
            _ => return None,
        })
    }

    fn all(&self) -> Vec<(i64, Sample<'a>)> {
        self.samples.merged(self.numbers.clone(), self.histograms.clone())
    }

    fn of_histograms(&self) -> &'a [Histogram] {
        &self.samples.histograms[self.histograms.clone()]
    }

    fn extrapolated(
        &self,
        function: &WindowFunction,
        windows: &Windows,
        findings: &mut Findings,
    ) -> Found {
        let is_counter = !matches!(function, WindowFunction::Delta);
        let window: Vec<&Histogram> = self.of_histograms().iter().collect();
        let times = &self.samples.times[self.histograms.clone()];
        let start = self.samples.starts.get(self.histograms.start).copied();
        let began = started::beginning(start.unwrap_or(0), times, self.end, windows);
        let began = began.filter(|_| is_counter);
        if window.len() < 2 && began.is_none() {
            return Found::Nothing;
        }
        if is_counter && !self.samples.starts.is_empty() {
            let starts = &self.samples.starts[self.histograms.clone()];
            let overlaps = (1..times.len()).any(|at| started::overlaps(times, starts, at));
            findings.add_if(overlaps, Finding::Overlap);
        }
        let outcome = histogram::increase(&window, is_counter);
        note(&outcome, findings);
        let Some(grown) = outcome.histogram else { return Found::Nothing };
        let counts: Vec<f64> = window.iter().map(|histogram| histogram.count).collect();
        let counts = Samples { times, values: &counts };
        let place = (0, window.len(), self.end);
        let (grown, mut factor) = match began {
            None => {
                let result = grown.count;
                (grown, counter::extrapolation(counts, windows, place, is_counter, result))
            }
            Some(began) => {
                let Some((grown, _)) = grown.plus(window[0]) else { return Found::Nothing };
                let grown = grown.hinted(ResetHint::Gauge);
                (grown, started::extrapolation(times, began, self.end, windows))
            }
        };
        if matches!(function, WindowFunction::Rate | WindowFunction::RateCounter) {
            factor /= windows.seconds(windows.range);
        }
        Found::Histogram(grown.scaled(factor))
    }

    /// The last sample against the one before it.
    fn last_two(&self, is_counter: bool, windows: &Windows, findings: &mut Findings) -> Found {
        let all = self.all();
        let [.., (before_time, before), (time, last)] = all.as_slice() else {
            return Found::Nothing;
        };
        let seconds = windows.seconds(time - before_time);
        match (before, last) {
            (Sample::Histogram(before), Sample::Histogram(last)) => {
                let outcome = histogram::difference(before, last, is_counter);
                note(&outcome, findings);
                let grown = outcome.histogram;
                let per_second = |grown: Histogram| grown.scaled(1.0 / seconds);
                found(if is_counter { grown.map(per_second) } else { grown })
            }
            (Sample::Number(before), Sample::Number(last)) => {
                let grown = if is_counter && last < before { *last } else { last - before };
                Found::Number(if is_counter { grown / seconds } else { grown })
            }
            _ => {
                findings.add(Finding::Mixed);
                Found::Nothing
            }
        }
    }

    fn sum(
        &self,
        add: fn(&mut Sum, &Histogram) -> Option<Conflict>,
        findings: &mut Findings,
    ) -> Option<Sum> {
        let (first, rest) = self.of_histograms().split_first()?;
        let mut sum = Sum::new(first.clone());
        let mut is_reconciled = false;
        for histogram in rest {
            let Some(conflict) = add(&mut sum, histogram) else {
                findings.add(Finding::MixedBuckets);
                return None;
            };
            is_reconciled |= conflict.bounds;
        }
        let has = |hint| self.of_histograms().iter().any(|histogram| histogram.hint == hint);
        let conflicts = has(ResetHint::Reset) && has(ResetHint::NotReset);
        findings.add_if(conflicts, Finding::ConflictingResets);
        findings.add_if(is_reconciled, Finding::ReconciledAggregation);
        Some(sum)
    }

    /// The oldest or newest sample, or its time.
    fn edge(&self, function: &WindowFunction, windows: &Windows) -> Found {
        let all = self.all();
        let oldest = matches!(function, WindowFunction::First | WindowFunction::TimeOfFirst);
        let sample = if oldest { all.first() } else { all.last() };
        let is_time = matches!(function, WindowFunction::TimeOfFirst | WindowFunction::TimeOfLast);
        match sample {
            Some((time, _)) if is_time => Found::Number(windows.seconds(*time)),
            Some((_, Sample::Number(number))) => Found::Number(*number),
            Some((_, Sample::Histogram(histogram))) => Found::Histogram((*histogram).clone()),
            None => Found::Nothing,
        }
    }
}

/// Whether the value changes; from NaN to NaN it does not.
pub(super) fn is_change(before: Sample<'_>, sample: Sample<'_>) -> bool {
    match (before, sample) {
        (Sample::Number(before), Sample::Number(number)) => {
            before != number && !(before.is_nan() && number.is_nan())
        }
        (Sample::Histogram(before), Sample::Histogram(histogram)) => !before.equals(histogram),
        _ => true,
    }
}

/// What is worth telling about an increase.
fn note(outcome: &Outcome, findings: &mut Findings) {
    findings.add_if(outcome.histogram.is_none(), Finding::MixedBuckets);
    findings.add_if(outcome.not_counter, Finding::NotCounter);
    findings.add_if(outcome.not_gauge, Finding::NotGauge);
    findings.add_if(outcome.bounds_subtracted, Finding::ReconciledSubtraction);
    findings.add_if(outcome.bounds_added, Finding::ReconciledAddition);
}

/// Whether a counter is reset.
pub(super) fn is_reset(before: Sample<'_>, sample: Sample<'_>) -> bool {
    match (before, sample) {
        (Sample::Number(before), Sample::Number(number)) => number < before,
        (Sample::Histogram(before), Sample::Histogram(histogram)) => {
            histogram::detect_reset(before, histogram)
        }
        _ => true,
    }
}

/// Neighbours that count.
pub(super) fn pairs(
    samples: &[(i64, Sample<'_>)],
    counts: fn(Sample<'_>, Sample<'_>) -> bool,
) -> f64 {
    samples.windows(2).filter(|pair| counts(pair[0].1, pair[1].1)).count() as f64
}

fn found(histogram: Option<Histogram>) -> Found {
    histogram.map_or(Found::Nothing, Found::Histogram)
}
