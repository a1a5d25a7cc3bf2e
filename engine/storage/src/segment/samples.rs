//! Samples: rows of memtables in the order of segments, without being put together first.
//!
//! ```text
//!  batches, as they came ─ series and day ─▶ runs ─ sort the runs, add up their rows ─▶ places
//!                                                   times, values ─ put in place ─────────┘
//! ```
//!
//! There are far fewer series than samples, and those of one series mostly come in order of time:
//! to sort the series and to put each sample where it belongs is less work than to sort samples,
//! and takes a fraction of the memory.

use std::ops::Range;
use std::sync::Arc;

use ahash::AHashMap;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use schemas::tables::{Table, columns, day_of_ms};

use super::keys::integers;
use super::sort::arrow;
use crate::Error;
use crate::absent::{absent, is_absent};

/// Rows that are handed on at once, but for those of a longer series.
const CHUNK_ROWS: usize = 64 << 10;

/// The samples of memtables, sorted by day and then by the key of their table.
#[derive(Debug)]
pub(super) struct Samples {
    /// In order; the rows of each lie behind those of the one before.
    runs: Vec<Run>,
    times: Vec<i64>,
    numbers: Vec<f64>,
    /// Start times, zero where there is none; empty if there is none at all.
    starts: Vec<i64>,
    has_start: Vec<bool>,
}

/// The samples of one series and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    day: i32,
    metric: i64,
    series: i64,
    rows: usize,
}

/// The samples of one day.
#[derive(Debug)]
pub(super) struct Day<'s> {
    /// Which, counted from 1970-01-01.
    pub(super) day: i32,
    /// Rows of the day.
    pub(super) rows: usize,
    /// Series of the day.
    pub(super) series: usize,
    samples: &'s Samples,
    runs: &'s [Run],
    first_row: usize,
}

/// The columns of a batch that samples are made of.
struct Columns<'b> {
    metric: &'b [i64],
    series: &'b [i64],
    time: &'b [i64],
    number: &'b [f64],
    start: Option<&'b Int64Array>,
}

impl Samples {
    /// Sorts rows of `metric_samples`, stably; `None` if some have no value, or are in the form of
    /// segments.
    pub(super) fn sorted(batches: &[RecordBatch]) -> Result<Option<Self>, Error> {
        let mut parts = Vec::with_capacity(batches.len());
        for batch in batches {
            let Some(columns) = Columns::of(batch)? else { return Ok(None) };
            parts.push(columns);
        }
        let (mut runs, run_of_row) = runs(&parts);
        let mut places = sort_runs(&mut runs);
        let rows = run_of_row.len();
        let has_starts = parts.iter().any(|part| part.start.is_some());
        let start_rows = if has_starts { rows } else { 0 };
        let mut samples = Self {
            runs,
            times: vec![0; rows],
            numbers: vec![0.0; rows],
            starts: vec![0; start_rows],
            has_start: vec![false; start_rows],
        };
        let mut run_of_row = run_of_row.into_iter();
        for part in &parts {
            for (row, run) in (0..part.time.len()).zip(&mut run_of_row) {
                let place = &mut places[run as usize];
                samples.times[*place] = part.time[row];
                samples.numbers[*place] = part.number[row];
                if let Some(start) = part.start.filter(|start| start.is_valid(row)) {
                    samples.starts[*place] = start.value(row);
                    samples.has_start[*place] = true;
                }
                *place += 1;
            }
        }
        samples.sort_times();
        Ok(Some(samples))
    }

    /// The days, earliest first.
    pub(super) fn days(&self) -> impl Iterator<Item = Day<'_>> {
        let mut next_row = 0;
        self.runs.chunk_by(|a, b| a.day == b.day).map(move |runs| {
            let (first_row, rows) = (next_row, runs.iter().map(|run| run.rows).sum::<usize>());
            next_row += rows;
            let series = runs.len();
            Day { day: runs[0].day, rows, series, samples: self, runs, first_row }
        })
    }

    /// Brings the few runs in order whose samples did not come so.
    fn sort_times(&mut self) {
        let mut first = 0;
        for run in 0..self.runs.len() {
            let rows = first..first + self.runs[run].rows;
            first = rows.end;
            if !self.times[rows.clone()].is_sorted() {
                let mut order: Vec<usize> = rows.clone().collect();
                order.sort_by_key(|row| self.times[*row]);
                reorder(&mut self.times, &rows, &order);
                reorder(&mut self.numbers, &rows, &order);
                if !self.starts.is_empty() {
                    reorder(&mut self.starts, &rows, &order);
                    reorder(&mut self.has_start, &rows, &order);
                }
            }
        }
    }

    fn batch(&self, runs: &[Run], rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let mut metrics = Vec::with_capacity(rows.len());
        let mut series = Vec::with_capacity(rows.len());
        for run in runs {
            metrics.resize(metrics.len() + run.rows, run.metric);
            series.resize(series.len() + run.rows, run.series);
        }
        let starts: ArrayRef = match self.starts.get(rows.clone()) {
            Some(starts) => {
                let nulls = NullBuffer::from(&self.has_start[rows.clone()]);
                Arc::new(Int64Array::new(starts.to_vec().into(), Some(nulls)))
            }
            None => absent(&DataType::Int64, rows.len()),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(metrics)),
            Arc::new(Int64Array::from(series)),
            Arc::new(Int64Array::from(self.times[rows.clone()].to_vec())),
            Arc::new(Float64Array::from(self.numbers[rows.clone()].to_vec())),
            absent(&DataType::Int64, rows.len()),
            absent(&DataType::Int32, rows.len()),
            starts,
        ];
        RecordBatch::try_new(Table::MetricSamples.schema(), columns)
    }
}

impl Day<'_> {
    /// The rows in some batches; all of a series lie in one, so that they get one exponent.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Result<RecordBatch, Error>> {
        let (mut runs, mut first_row) = (self.runs, self.first_row);
        std::iter::from_fn(move || {
            let (mut count, mut rows) = (0, 0);
            while let Some(run) = runs.get(count).filter(|_| rows < CHUNK_ROWS) {
                (count, rows) = (count + 1, rows + run.rows);
            }
            let (chunk, rest) = runs.split_at(count);
            let rows = first_row..first_row + rows;
            (runs, first_row) = (rest, rows.end);
            (!chunk.is_empty()).then(|| self.samples.batch(chunk, rows).map_err(arrow))
        })
    }
}

impl<'b> Columns<'b> {
    /// `None` if a row has no value, or has it as a mantissa.
    fn of(rows: &'b RecordBatch) -> Result<Option<Self>, Error> {
        let column = |name: &str| rows.column_by_name(name).map(|column| column.as_ref());
        // That these are there and integers is checked before they are borrowed.
        for name in [columns::METRIC_ID, columns::SERIES_ID, columns::TIME_MS] {
            integers(rows, name)?;
        }
        let numbers = |name: &str| -> &'b [i64] {
            let column = column(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            column.map(|column| column.values().as_ref()).unwrap_or_default()
        };
        let number = column(columns::VALUE).and_then(|of| of.as_primitive_opt::<Float64Type>());
        let Some(number) = number.filter(|number| number.null_count() == 0) else {
            return Ok(None);
        };
        if column(columns::VALUE_MANTISSA).is_some_and(|mantissa| !is_absent(mantissa)) {
            return Ok(None);
        }
        let start = column(columns::START_TIME_MS)
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .filter(|column| !is_absent(*column));
        Ok(Some(Self {
            metric: numbers(columns::METRIC_ID),
            series: numbers(columns::SERIES_ID),
            time: numbers(columns::TIME_MS),
            number: number.values(),
            start,
        }))
    }
}

/// The runs in order of their first rows, and the run of each row.
fn runs(parts: &[Columns<'_>]) -> (Vec<Run>, Vec<u32>) {
    let mut runs: Vec<Run> = Vec::new();
    let mut known: AHashMap<(i64, i64, i32), u32> = AHashMap::new();
    let mut run_of_row = Vec::with_capacity(parts.iter().map(|part| part.time.len()).sum());
    let mut last: Option<((i64, i64, i32), u32)> = None;
    for part in parts {
        for (row, time) in part.time.iter().enumerate() {
            let key = (part.metric[row], part.series[row], day_of_ms(*time));
            let run = match last {
                Some((of, run)) if of == key => run,
                _ => *known.entry(key).or_insert_with(|| {
                    runs.push(Run { day: key.2, metric: key.0, series: key.1, rows: 0 });
                    // A memtable is bounded in bytes, far below what it would take.
                    u32::try_from(runs.len() - 1).expect("fewer than 2^32 series in a memtable")
                }),
            };
            last = Some((key, run));
            runs[run as usize].rows += 1;
            run_of_row.push(run);
        }
    }
    (runs, run_of_row)
}

/// Sorts the runs; returns the place of the first row of each, by the place that it had.
fn sort_runs(runs: &mut Vec<Run>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_unstable_by_key(|run| runs[*run]);
    let mut places = vec![0; runs.len()];
    let mut rows = 0;
    for run in &order {
        places[*run] = rows;
        rows += runs[*run].rows;
    }
    *runs = order.into_iter().map(|run| runs[run]).collect();
    places
}

/// Puts the values of `rows` into another order of the same rows.
fn reorder<T: Copy>(values: &mut [T], rows: &Range<usize>, order: &[usize]) {
    let ordered: Vec<T> = order.iter().map(|row| values[*row]).collect();
    values[rows.clone()].copy_from_slice(&ordered);
}

#[cfg(test)]
mod tests;
