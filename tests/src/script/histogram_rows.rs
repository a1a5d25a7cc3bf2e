//! Rows of `metric_histograms`.

use std::sync::Arc;

use arrow::array::{
    Float64Array, Float64Builder, Int32Array, Int64Array, Int64Builder, ListBuilder,
};
use exec::output::{Bucket, CUSTOM_BOUNDS, Histogram, ResetHint};
use schemas::model::Labels;
use schemas::tables::{Table, columns};
use storage::TableBatch;

use super::engine::{BoxError, batch, metric_id};

/// Whole numbers below this are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The columns under construction.
#[derive(Default)]
pub(super) struct HistogramColumns {
    metrics: Vec<i64>,
    ids: Vec<i64>,
    times: Vec<i64>,
    starts: Vec<Option<i64>>,
    counts: Vec<i64>,
    sums: Vec<f64>,
    scales: Vec<i32>,
    zero_thresholds: Vec<f64>,
    zero_counts: Vec<i64>,
    positive: SideColumns,
    negative: SideColumns,
    hints: Vec<i32>,
    bounds: ListBuilder<Float64Builder>,
    fractions: ListBuilder<Float64Builder>,
}

#[derive(Default)]
struct SideColumns {
    offsets: Vec<i32>,
    counts: ListBuilder<Int64Builder>,
}

impl SideColumns {
    /// Adds the buckets of a side from the first to the last; returns their counts.
    fn push(&mut self, buckets: &[Bucket], schema: i32) -> Vec<f64> {
        let first = buckets.first().map_or(0, |bucket| bucket.0);
        let last = buckets.last().map_or(first - 1, |bucket| bucket.0);
        let mut counts = vec![0.0; usize::try_from(last + 1 - first).unwrap_or_default()];
        for (index, count) in buckets {
            counts[usize::try_from(index - first).unwrap_or_default()] = *count;
        }
        // Rows count exponential buckets by where they begin.
        self.offsets.push(if schema == CUSTOM_BOUNDS { first } else { first - 1 });
        for count in &counts {
            self.counts.values().append_value(*count as i64);
        }
        self.counts.append(true);
        counts
    }
}

impl HistogramColumns {
    /// Adds a sample.
    pub(super) fn push(
        &mut self,
        labels: &Labels,
        time_ms: i64,
        start_ms: Option<i64>,
        histogram: &Histogram,
    ) {
        self.metrics.push(metric_id(labels));
        self.ids.push(labels.id());
        self.times.push(time_ms);
        self.starts.push(start_ms);
        self.counts.push(histogram.count as i64);
        self.sums.push(histogram.sum);
        self.scales.push(histogram.schema);
        self.zero_thresholds.push(histogram.zero_threshold);
        self.zero_counts.push(histogram.zero_count as i64);
        let mut counts = vec![histogram.count, histogram.zero_count];
        counts.extend(self.positive.push(&histogram.positive, histogram.schema));
        counts.extend(self.negative.push(&histogram.negative, histogram.schema));
        self.hints.push(match histogram.hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        });
        self.bounds.values().append_slice(&histogram.bounds);
        self.bounds.append(histogram.is_custom());
        let is_whole = |count: &f64| (0.0..EXACT_MAX).contains(count) && count.fract() == 0.0;
        let has_fractions = !counts.iter().all(is_whole);
        if has_fractions {
            self.fractions.values().append_slice(&counts);
        }
        self.fractions.append(has_fractions);
    }

    /// The rows.
    pub(super) fn finish(mut self) -> Result<TableBatch, BoxError> {
        let flags = vec![0; self.ids.len()];
        batch(
            Table::MetricHistograms,
            &[
                (columns::METRIC_ID, Arc::new(Int64Array::from(self.metrics))),
                (columns::SERIES_ID, Arc::new(Int64Array::from(self.ids))),
                (columns::TIME_MS, Arc::new(Int64Array::from(self.times))),
                (columns::START_TIME_MS, Arc::new(Int64Array::from(self.starts))),
                (columns::COUNT, Arc::new(Int64Array::from(self.counts))),
                (columns::SUM, Arc::new(Float64Array::from(self.sums))),
                (columns::SCALE, Arc::new(Int32Array::from(self.scales))),
                (columns::ZERO_THRESHOLD, Arc::new(Float64Array::from(self.zero_thresholds))),
                (columns::ZERO_COUNT, Arc::new(Int64Array::from(self.zero_counts))),
                (columns::POSITIVE_OFFSET, Arc::new(Int32Array::from(self.positive.offsets))),
                (columns::POSITIVE_COUNTS, Arc::new(self.positive.counts.finish())),
                (columns::NEGATIVE_OFFSET, Arc::new(Int32Array::from(self.negative.offsets))),
                (columns::NEGATIVE_COUNTS, Arc::new(self.negative.counts.finish())),
                (columns::FLAGS, Arc::new(Int32Array::from(flags))),
                (columns::RESET_HINT, Arc::new(Int32Array::from(self.hints))),
                (columns::CUSTOM_BOUNDS, Arc::new(self.bounds.finish())),
                (columns::FRACTIONS, Arc::new(self.fractions.finish())),
            ],
        )
    }
}
