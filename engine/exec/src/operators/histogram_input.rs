//! A sorted stream of histogram samples, read one series at a time.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use schemas::tables::columns;

use super::series_input::{Scratch, SeriesKey};
use crate::functions::window::STALE_NAN_BITS;
use crate::histogram::{Bucket, CUSTOM_BOUNDS, Histogram};
use crate::tiles::histograms::hint;

/// The columns that an input has, in this order; `start_time_ms` may follow.
pub(crate) const HISTOGRAM_COLUMNS: [&str; 16] = [
    columns::METRIC_ID,
    columns::SERIES_ID,
    columns::TIME_MS,
    columns::COUNT,
    columns::SUM,
    columns::SCALE,
    columns::ZERO_THRESHOLD,
    columns::ZERO_COUNT,
    columns::POSITIVE_OFFSET,
    columns::POSITIVE_COUNTS,
    columns::NEGATIVE_OFFSET,
    columns::NEGATIVE_COUNTS,
    columns::FLAGS,
    columns::RESET_HINT,
    columns::CUSTOM_BOUNDS,
    columns::FRACTIONS,
];

/// The flag of a sample that says that its series has ended.
const NO_RECORDED_VALUE: i32 = 1;
/// The finest schema that functions work at; finer samples are merged to it.
const SCHEMA_MAX: i32 = 8;

/// One input: batches of [`HISTOGRAM_COLUMNS`], sorted by the first three.
pub(super) struct HistogramInput {
    stream: SendableRecordBatchStream,
    batch: Option<RecordBatch>,
    row: usize,
}

impl HistogramInput {
    /// An input that has read nothing yet.
    pub(super) fn new(stream: SendableRecordBatchStream) -> Self {
        Self { stream, batch: None, row: 0 }
    }

    /// Adds the rows of `key` to `scratch`; those before it are skipped.
    pub(super) async fn take(&mut self, key: SeriesKey, scratch: &mut Scratch) -> Result<()> {
        loop {
            if let Some(batch) = &self.batch {
                let ids = |column: usize| batch.column(column).as_primitive::<Int64Type>();
                let (metrics, series) = (ids(0), ids(1));
                while self.row < batch.num_rows() {
                    let found = (metrics.value(self.row), series.value(self.row));
                    if found > key {
                        return Ok(());
                    }
                    if found == key {
                        let time_ms = ids(2).value(self.row);
                        scratch.histograms.push((time_ms, read(batch, self.row)));
                        if let Some(starts) = batch.columns().get(HISTOGRAM_COLUMNS.len()) {
                            let starts = starts.as_primitive::<Int64Type>();
                            if starts.is_valid(self.row) {
                                let start = (time_ms, starts.value(self.row));
                                scratch.histogram_starts.push(start);
                            }
                        }
                    }
                    self.row += 1;
                }
            }
            self.row = 0;
            self.batch = self.stream.next().await.transpose()?;
            if self.batch.is_none() {
                return Ok(());
            }
        }
    }
}

/// A row as a histogram.
fn read(batch: &RecordBatch, row: usize) -> Histogram {
    let whole = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(row) as f64;
    let int = |column: usize| batch.column(column).as_primitive::<Int32Type>();
    let float = |column: usize| batch.column(column).as_primitive::<Float64Type>();
    let floats = |column: usize| -> Vec<f64> {
        let list = batch.column(column).as_list::<i32>();
        if list.is_null(row) {
            return Vec::new();
        }
        list.value(row).as_primitive::<Float64Type>().values().to_vec()
    };
    let schema = int(5).value(row);
    let is_stale = int(12).value(row) & NO_RECORDED_VALUE != 0;
    let sum = if float(4).is_null(row) { 0.0 } else { float(4).value(row) };
    let mut histogram = Histogram {
        hint: hint(u8::try_from(int(13).value(row)).unwrap_or_default()),
        schema,
        zero_threshold: float(6).value(row),
        zero_count: whole(7),
        count: whole(3),
        sum: if is_stale { f64::from_bits(STALE_NAN_BITS) } else { sum },
        positive: buckets(batch, 8, row, schema),
        negative: buckets(batch, 10, row, schema),
        bounds: floats(14).into(),
    };
    set_fractions(&mut histogram, &floats(15));
    // After the fractions, which are told for all buckets.
    let histogram = histogram.compacted();
    if schema > SCHEMA_MAX { histogram.reduced(SCHEMA_MAX) } else { histogram }
}

/// The buckets of a side, empty ones included. A row counts buckets from where they begin, as
/// OTLP does, a histogram by where they end; custom bounds are counted alike.
fn buckets(batch: &RecordBatch, offset: usize, row: usize, schema: i32) -> Vec<Bucket> {
    let first = batch.column(offset).as_primitive::<Int32Type>().value(row);
    let first = if schema == CUSTOM_BOUNDS { first } else { first.saturating_add(1) };
    let list = batch.column(offset + 1).as_list::<i32>();
    if list.is_null(row) {
        return Vec::new();
    }
    let counts = list.value(row);
    let counts = counts.as_primitive::<Int64Type>().values();
    (first..).zip(counts.iter().map(|count| *count as f64)).collect()
}

/// Puts counts with fractions in place of the whole ones: count, zero count, positive, negative.
fn set_fractions(histogram: &mut Histogram, fractions: &[f64]) {
    let [count, zero_count, rest @ ..] = fractions else { return };
    (histogram.count, histogram.zero_count) = (*count, *zero_count);
    let buckets = histogram.positive.iter_mut().chain(&mut histogram.negative);
    for (bucket, fraction) in buckets.zip(rest) {
        bucket.1 = *fraction;
    }
}
