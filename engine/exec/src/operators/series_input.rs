//! A sorted stream of samples, read one series at a time.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::histogram::{Histogram, ResetHint, detect_reset};

/// What tells series apart and orders them: `(metric_id, series_id)`.
pub(crate) type SeriesKey = (i64, i64);

/// Samples of one series from one or several inputs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Milliseconds.
    pub(crate) times: Vec<i64>,
    /// One for each time.
    pub(crate) values: Vec<f64>,
    /// Start times, in milliseconds, 0 where none is known: one for each time, or none at all
    /// where they are not read.
    pub(super) starts: Vec<i64>,
    /// Native histograms with their times, in milliseconds.
    pub(super) histograms: Vec<(i64, Histogram)>,
    /// Times of histograms with their start times, if those are read.
    pub(super) histogram_starts: Vec<(i64, i64)>,
}

impl Scratch {
    /// Forgets all samples.
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
        self.histogram_starts.clear();
    }

    /// Whether there is no sample.
    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.histograms.is_empty()
    }

    /// Number of samples.
    pub(super) fn len(&self) -> usize {
        self.times.len() + self.histograms.len()
    }

    /// Memory of the samples, sorting them included.
    pub(super) fn bytes(&self) -> usize {
        let times = self.times.capacity() + self.starts.capacity();
        let numbers = times * size_of::<i64>() + self.values.capacity() * size_of::<f64>();
        let histograms: usize =
            self.histograms.iter().map(|(_, histogram)| histogram.memory_bytes()).sum();
        let starts = self.histogram_starts.capacity() * size_of::<(i64, i64)>();
        2 * (numbers + histograms + starts)
    }

    /// Puts the samples in order of time; of several with one time the one read last stays.
    ///
    /// Inputs mostly follow each other in time, so nothing has to be moved; if only whole runs
    /// are out of order or samples interleave, they are sorted.
    pub(super) fn settle(&mut self) {
        self.settle_histograms();
        if self.times.windows(2).all(|pair| pair[0] < pair[1]) {
            return;
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|at| self.times[*at]);
        let mut times = Vec::with_capacity(order.len());
        let mut values: Vec<f64> = Vec::with_capacity(order.len());
        let mut starts: Vec<i64> = Vec::with_capacity(self.starts.len());
        for at in order {
            if times.last() == Some(&self.times[at]) {
                values.pop();
                times.pop();
                starts.pop();
            }
            times.push(self.times[at]);
            values.push(self.values[at]);
            starts.extend(self.starts.get(at));
        }
        self.times = times;
        self.values = values;
        self.starts = starts;
    }

    fn settle_histograms(&mut self) {
        if self.histograms.is_empty() {
            return;
        }
        // Stable, and the kept one is overwritten by the one read later.
        self.histograms.sort_by_key(|sample| sample.0);
        keep_later(&mut self.histograms);
        self.histogram_starts.sort_by_key(|sample| sample.0);
        keep_later(&mut self.histogram_starts);
        // Found out once, not in every window that a sample is in.
        for at in 1..self.histograms.len() {
            let (before, sample) = (&self.histograms[at - 1].1, &self.histograms[at].1);
            if sample.hint == ResetHint::Unknown && !before.is_stale() && !sample.is_stale() {
                let is_reset = detect_reset(before, sample);
                let hint = if is_reset { ResetHint::Reset } else { ResetHint::NotReset };
                self.histograms[at].1.hint = hint;
            }
        }
    }

    /// Drops the samples for which `drop` holds.
    pub(super) fn remove(&mut self, drop: impl Fn(f64) -> bool) {
        self.histograms.retain(|sample| !drop(sample.1.sum));
        if !self.values.iter().any(|value| drop(*value)) {
            return;
        }
        let mut kept = 0;
        for at in 0..self.values.len() {
            if !drop(self.values[at]) {
                self.times[kept] = self.times[at];
                self.values[kept] = self.values[at];
                if let Some(start) = self.starts.get(at).copied() {
                    self.starts[kept] = start;
                }
                kept += 1;
            }
        }
        self.times.truncate(kept);
        self.values.truncate(kept);
        self.starts.truncate(kept);
    }

    /// The start time of the histogram at a time; 0 where none is known.
    pub(super) fn histogram_start(&self, time: i64) -> i64 {
        let found = self.histogram_starts.binary_search_by_key(&time, |sample| sample.0);
        found.map_or(0, |at| self.histogram_starts[at].1)
    }
}

/// Of neighbours of one time the later stays.
fn keep_later<T>(samples: &mut Vec<(i64, T)>) {
    samples.dedup_by(|later, kept| {
        let is_same = later.0 == kept.0;
        if is_same {
            std::mem::swap(later, kept);
        }
        is_same
    });
}

/// One input: batches of `metric_id, series_id, time_ms, value, value_mantissa, value_exponent`
/// in this order, and `start_time_ms` behind them where it is wanted.
pub(crate) struct SeriesInput {
    stream: SendableRecordBatchStream,
    columns: Option<Columns>,
    position: usize,
}

struct Columns {
    metric: Int64Array,
    series: Int64Array,
    time: Int64Array,
    value: Float64Array,
    mantissa: Int64Array,
    exponent: Int32Array,
    start: Option<Int64Array>,
}

impl Columns {
    fn key(&self, row: usize) -> SeriesKey {
        (self.metric.value(row), self.series.value(row))
    }

    /// Adds the numbers of some rows of one series: decimals as the division that they stand for.
    fn add_values(&self, start: usize, end: usize, values: &mut Vec<f64>) {
        if self.mantissa.null_count() == self.mantissa.len() {
            values.extend_from_slice(&self.value.values()[start..end]);
            return;
        }
        if let Some(exponent) = self.only_exponent(start, end) {
            let divisor = power_of_ten(exponent);
            let mantissas = &self.mantissa.values()[start..end];
            values.extend(mantissas.iter().map(|mantissa| *mantissa as f64 / divisor));
            return;
        }
        for row in start..end {
            values.push(if self.mantissa.is_valid(row) {
                self.mantissa.value(row) as f64 / power_of_ten(self.exponent.value(row))
            } else {
                self.value.value(row)
            });
        }
    }

    /// The exponent of some rows if all of them are decimals with the same one.
    fn only_exponent(&self, start: usize, end: usize) -> Option<i32> {
        let exponents = &self.exponent.values()[start..end];
        let first = *exponents.first()?;
        let decimal = match self.mantissa.nulls() {
            None => true,
            Some(nulls) => nulls.slice(start, end - start).null_count() == 0,
        };
        (decimal && exponents.iter().all(|other| *other == first)).then_some(first)
    }

    /// The end of the rows of `key`, which begin at `row`.
    fn end_of(&self, row: usize, key: SeriesKey) -> usize {
        let after = match key.1.checked_add(1) {
            Some(series) => (key.0, series),
            None => (key.0.saturating_add(1), i64::MIN),
        };
        self.seek(row, after)
    }

    fn add_starts(&self, start: usize, end: usize, starts: &mut Vec<i64>) {
        let Some(column) = &self.start else { return };
        if column.null_count() == 0 {
            starts.extend_from_slice(&column.values()[start..end]);
        } else {
            let known = |row: usize| if column.is_valid(row) { column.value(row) } else { 0 };
            starts.extend((start..end).map(known));
        }
    }

    /// The first row from `row` on whose key is not below `key`: doubling steps, then halving,
    /// so that short and long distances cost their logarithm.
    fn seek(&self, row: usize, key: SeriesKey) -> usize {
        let rows = self.metric.len();
        let (mut low, mut step) = (row, 1);
        while low + step < rows && self.key(low + step) < key {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(rows);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl SeriesInput {
    /// An input that has read nothing yet.
    pub(crate) fn new(stream: SendableRecordBatchStream) -> Self {
        Self { stream, columns: None, position: 0 }
    }

    /// The key of the next row; `None` at the end.
    pub(super) async fn key(&mut self) -> Result<Option<SeriesKey>> {
        loop {
            if let Some(columns) = &self.columns
                && self.position < columns.metric.len()
            {
                return Ok(Some(columns.key(self.position)));
            }
            match self.stream.next().await {
                None => {
                    self.columns = None;
                    return Ok(None);
                }
                Some(batch) => {
                    let batch = batch?;
                    self.columns = Some(Columns {
                        metric: batch.column(0).as_primitive::<Int64Type>().clone(),
                        series: batch.column(1).as_primitive::<Int64Type>().clone(),
                        time: batch.column(2).as_primitive::<Int64Type>().clone(),
                        value: batch.column(3).as_primitive::<Float64Type>().clone(),
                        mantissa: batch.column(4).as_primitive::<Int64Type>().clone(),
                        exponent: batch.column(5).as_primitive::<Int32Type>().clone(),
                        start: batch
                            .columns()
                            .get(6)
                            .map(|start| start.as_primitive::<Int64Type>().clone()),
                    });
                    self.position = 0;
                }
            }
        }
    }

    /// Skips all rows whose key is below `key`.
    pub(super) async fn skip_to(&mut self, key: SeriesKey) -> Result<()> {
        while self.key().await?.is_some_and(|next| next < key) {
            if let Some(columns) = &self.columns {
                self.position = columns.seek(self.position, key);
            }
        }
        Ok(())
    }

    /// Adds the rows of `key`, which must be the next ones, to `scratch`.
    pub(super) async fn take(&mut self, key: SeriesKey, scratch: &mut Scratch) -> Result<()> {
        while self.key().await? == Some(key) {
            if let Some(columns) = &self.columns {
                let end = columns.end_of(self.position, key);
                scratch.times.extend_from_slice(&columns.time.values()[self.position..end]);
                columns.add_values(self.position, end, &mut scratch.values);
                columns.add_starts(self.position, end, &mut scratch.starts);
                self.position = end;
            }
        }
        Ok(())
    }
}

/// Exact up to 10^22, far above what is stored.
pub(crate) fn power_of_ten(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

/// One open input for each partition of the plans, decoded in tasks of their own.
pub(super) fn open<I>(
    plans: &[Arc<dyn datafusion::physical_plan::ExecutionPlan>],
    context: &Arc<datafusion::execution::TaskContext>,
    input: impl Fn(SendableRecordBatchStream) -> I,
) -> Result<Vec<I>> {
    use datafusion::physical_plan::ExecutionPlanProperties;
    let mut inputs = Vec::new();
    for plan in plans {
        for partition in 0..plan.output_partitioning().partition_count() {
            inputs.push(input(super::node::spawn(plan, partition, context)?));
        }
    }
    Ok(inputs)
}
