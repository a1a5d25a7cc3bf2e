//! Remarks about functions of windows.

use plan::Remark;
use plan::annotation::HistogramOperation;
use plan::node::WindowFunction;

use crate::annotations::Remarks;
use crate::functions::window::{Finding, Findings};

/// Endings of the names that counters have by convention.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// What may be remarked about the series of a selector.
#[derive(Debug)]
pub(crate) struct WindowRemarks {
    remarks: Remarks,
    /// Names of the metrics by their ids, in the order of the series; none if no remarks are
    /// wanted.
    metrics: Vec<(i64, String)>,
}

impl WindowRemarks {
    /// Remarks about series that are met in the order of `metrics`.
    pub(crate) fn new(remarks: Remarks, metrics: Vec<(i64, String)>) -> Self {
        Self { remarks, metrics }
    }

    /// Tells what was found in a series of a metric.
    pub(super) fn findings(&self, metric_id: i64, findings: Findings) {
        if !findings.is_empty() && self.remarks.are_wanted() {
            let at = self.metrics.partition_point(|metric| metric.0 < metric_id);
            let name = self.metrics.get(at).map_or("", |metric| metric.1.as_str());
            tell(&self.remarks, name, findings);
        }
    }

    /// The metrics whose numbers call for a remark once a series of them has a value.
    pub(super) fn doubts(&self, functions: &[&WindowFunction]) -> Doubts<'_> {
        let functions = if self.remarks.are_wanted() { functions } else { &[] };
        let quantiles: Vec<f64> =
            functions.iter().filter_map(|function| quantile_out_of_range(function)).collect();
        let is_doubtful = |function: &&WindowFunction| {
            matches!(function, WindowFunction::Rate | WindowFunction::Increase)
        };
        let is_any = !quantiles.is_empty() || functions.iter().any(is_doubtful);
        Doubts { all: self, next: if is_any { 0 } else { self.metrics.len() }, quantiles }
    }
}

/// A walk over metrics in the order of their series, which asks of each series whether its
/// numbers are worth a look.
pub(super) struct Doubts<'a> {
    all: &'a WindowRemarks,
    /// The first metric that was not told of.
    next: usize,
    quantiles: Vec<f64>,
}

impl Doubts<'_> {
    /// Whether a series of this metric should be looked at.
    pub(super) fn concern(&mut self, metric_id: i64) -> bool {
        let metrics = &self.all.metrics;
        while let Some((id, name)) = metrics.get(self.next) {
            if *id < metric_id || (self.quantiles.is_empty() && is_counter_name(name)) {
                self.next += 1;
            } else {
                return *id == metric_id;
            }
        }
        false
    }

    /// Tells of the metric that was asked for last, some series of which has a number.
    pub(super) fn confirm(&mut self) {
        if !self.quantiles.is_empty() {
            let told = self.quantiles.drain(..).map(Remark::InvalidQuantile);
            told.for_each(|remark| self.all.remarks.add(remark));
            self.next = self.all.metrics.len();
        } else if let Some((_, name)) = self.all.metrics.get(self.next) {
            self.all.remarks.add(Remark::PossibleNonCounter(name.clone()));
            self.next += 1;
        }
    }
}

/// Tells what was found in a series whose metric has this name, which may be empty.
pub(super) fn tell(remarks: &Remarks, metric: &str, findings: Findings) {
    let metric = || metric.to_owned();
    let add = |finding, remark: &dyn Fn() -> Remark| {
        remarks.add_if(findings.has(finding), remark);
    };
    add(Finding::Mixed, &|| Remark::MixedFloatsHistograms(metric()));
    add(Finding::Ignored, &|| Remark::IgnoredInMixedRange(metric()));
    add(Finding::NotCounter, &|| Remark::NotCounter(metric()));
    add(Finding::NotGauge, &|| Remark::NotGauge(metric()));
    add(Finding::MixedBuckets, &|| Remark::MixedExponentialCustom(metric()));
    add(Finding::Overlap, &|| Remark::OverlappingStart(metric()));
    let reconciled = Remark::ReconciledCustomBuckets;
    add(Finding::ReconciledAddition, &|| reconciled(HistogramOperation::Addition));
    add(Finding::ReconciledSubtraction, &|| reconciled(HistogramOperation::Subtraction));
    add(Finding::ReconciledAggregation, &|| reconciled(HistogramOperation::Aggregation));
    add(Finding::ConflictingResets, &|| {
        Remark::ConflictingCounterResets(HistogramOperation::Aggregation)
    });
}

/// Tells what a name, or the functions themselves, say against the numbers of a series that has some.
pub(super) fn tell_numbers<'a>(
    remarks: &Remarks,
    metric: &str,
    functions: impl Iterator<Item = &'a WindowFunction>,
) {
    for function in functions {
        if let Some(given) = quantile_out_of_range(function) {
            remarks.add(Remark::InvalidQuantile(given));
        }
        if matches!(function, WindowFunction::Rate | WindowFunction::Increase)
            && !metric.is_empty()
            && !is_counter_name(metric)
        {
            remarks.add(Remark::PossibleNonCounter(metric.to_owned()));
        }
    }
}

fn is_counter_name(name: &str) -> bool {
    name.is_empty() || COUNTER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// The quantile that a function asks for, if there is none such.
fn quantile_out_of_range(function: &WindowFunction) -> Option<f64> {
    match function {
        WindowFunction::Quantile(phi) if !(0.0..=1.0).contains(phi) => Some(*phi),
        _ => None,
    }
}
