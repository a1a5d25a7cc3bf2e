//! The label index: resolves matchers to series and streams without reading samples or records.
//!
//! ```text
//!  metric_series, log_streams ─▶ rows ─▶ entries ─▶ postings: label ─▶ value ─▶ ordinals
//!                                          │  days                        │
//!                    matchers, range ──────┴────────▶ select ◀────────────┘
//! ```
//!
//! An entry is made in two steps. `reserve` gives it a place and refuses an id that belongs to
//! other labels; `publish` marks the days it was seen on, once its row is durable. Between the two
//! nobody sees it, so a write that fails leaves nothing behind that could be mistaken for stored.

mod days;
mod entries;
mod rows;
mod select;

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use parking_lot::RwLock;
use schemas::model::{CompiledMatcher, Labels, TimeRange};
use schemas::tables::day_of_ns;

use crate::{Error, ErrorKind};
use entries::Entries;
use rows::Rows;

/// Rows that are entered before other users of the index get their turn.
const ROWS_PER_LOCK: usize = 1024;

/// What is known of a metric's series beside its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeriesInfo {
    /// `counter gauge histogram summary exponential_histogram unknown`; empty for streams.
    pub kind: String,
    /// UCUM unit; empty if not sent.
    pub unit: String,
    /// Description; empty if not sent.
    pub help: String,
    /// `cumulative` or `delta`; empty for what has none.
    pub temporality: String,
}

/// A series or a stream.
#[derive(Clone, Debug)]
pub struct SeriesEntry {
    /// `series_id` or `stream_id`.
    pub id: i64,
    /// `metric_id`; 0 for streams.
    pub metric_id: i64,
    /// All labels of a series with `__name__`; the index labels of a stream.
    pub labels: Labels,
    /// Shared by the series of a metric.
    pub info: Arc<SeriesInfo>,
}

/// What a log stream's records share beside the index labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamInfo {
    /// `service.name`, `unknown_service` if absent.
    pub service: Arc<str>,
    /// Resource attributes without a column, a JSON object (form of `columns::ATTRIBUTES`).
    pub resource_attributes: Option<Arc<str>>,
    /// Promoted resource attributes: key as sent and value, in the order of their columns.
    pub promoted: Vec<(&'static str, Arc<str>)>,
    /// Name of the instrumentation scope.
    pub scope_name: Option<Arc<str>>,
    /// Version of the instrumentation scope.
    pub scope_version: Option<Arc<str>>,
    /// Scope attributes, a JSON object.
    pub scope_attributes: Option<Arc<str>>,
}

/// All series of a tenant, or all its streams. Grows while it is read.
#[derive(Debug, Default)]
pub struct LabelIndex {
    entries: RwLock<Entries>,
}

/// A row that has a place in the index and waits for being durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    ordinal: u32,
    day: i32,
}

impl LabelIndex {
    /// Enters rows of `metric_series` or `log_streams`; rows that are known change nothing.
    ///
    /// `Invalid` if an id arrives with other labels than it had before: such rows are never mixed.
    pub fn absorb(&self, batch: &RecordBatch) -> Result<(), Error> {
        let marks = self.reserve(batch)?;
        self.publish(&marks);
        Ok(())
    }

    /// Enters rows like [`Self::absorb`] and returns those that were new for their day.
    pub(crate) fn absorb_new(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let is_new = self.publish(&self.reserve(batch)?);
        if is_new.iter().all(|is_new| *is_new) {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::from(is_new)).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "known rows cannot be left out", error)
        })
    }

    /// Gives each row a place; the result has one mark for each row, in order.
    pub(crate) fn reserve(&self, batch: &RecordBatch) -> Result<Vec<Mark>, Error> {
        let rows = Rows::of(batch)?;
        let mut marks = Vec::with_capacity(batch.num_rows());
        for start in (0..batch.num_rows()).step_by(ROWS_PER_LOCK) {
            let end = batch.num_rows().min(start + ROWS_PER_LOCK);
            let mut entries = self.entries.write();
            for row in start..end {
                let ordinal = entries.enter(&rows, row)?;
                marks.push(Mark { ordinal, day: rows.day(row) });
            }
        }
        Ok(marks)
    }

    /// Makes reserved rows visible; tells for each whether its id was new for its day.
    pub(crate) fn publish(&self, marks: &[Mark]) -> Vec<bool> {
        let mut entries = self.entries.write();
        marks.iter().map(|mark| entries.see(mark.ordinal, mark.day)).collect()
    }

    /// The entries that every matcher accepts and that were seen on a day of `range`, sorted by
    /// `(metric_id, id)`.
    pub fn resolve(&self, matchers: &[CompiledMatcher], range: &TimeRange) -> Vec<SeriesEntry> {
        let entries = self.entries.read();
        let mut found: Vec<SeriesEntry> = select::select(&entries, matchers, range)
            .into_iter()
            .map(|ordinal| entries.series_entry(ordinal))
            .collect();
        drop(entries);
        found.sort_unstable_by_key(|entry| (entry.metric_id, entry.id));
        found
    }

    /// The names of labels that entries have which every matcher accepts and that were seen on a
    /// day of `range`, sorted.
    pub fn label_names(&self, matchers: &[CompiledMatcher], range: &TimeRange) -> Vec<Arc<str>> {
        let entries = self.entries.read();
        let mut names = entries.label_names(&select::select(&entries, matchers, range));
        names.sort_unstable();
        names
    }

    /// The values of one label that entries have which every matcher accepts and that were seen
    /// on a day of `range`, sorted; never the empty value.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
    ) -> Vec<Arc<str>> {
        let entries = self.entries.read();
        let mut values = if matchers.is_empty() {
            select::values_seen(&entries, name, range)
        } else {
            entries.label_values(name, &select::select(&entries, matchers, range))
        };
        values.sort_unstable();
        values
    }

    /// The entry of `id`, whenever it was seen.
    pub fn entry(&self, id: i64) -> Option<SeriesEntry> {
        let entries = self.entries.read();
        let ordinal = entries.ordinal(id)?;
        entries.is_seen(ordinal).then(|| entries.series_entry(ordinal))
    }

    /// Whether `id` is known for `day`, counted from 1970-01-01.
    pub fn contains(&self, id: i64, day: i32) -> bool {
        let entries = self.entries.read();
        entries.ordinal(id).is_some_and(|ordinal| entries.is_seen_on(ordinal, day))
    }

    /// What the records of a stream share; `None` for series and for unknown ids.
    pub fn stream(&self, id: i64) -> Option<Arc<StreamInfo>> {
        let entries = self.entries.read();
        entries.stream(entries.ordinal(id)?)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.read().len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// First and last day of a range, both inclusive; `None` if it holds no instant.
fn days_of(range: &TimeRange) -> Option<(i32, i32)> {
    (!range.is_empty()).then(|| {
        // Days before and after what nanoseconds can tell belong to the open ends.
        let first = if range.start_ns == i64::MIN { i32::MIN } else { day_of_ns(range.start_ns) };
        let last = if range.end_ns == i64::MAX { i32::MAX } else { day_of_ns(range.end_ns - 1) };
        (first, last)
    })
}

#[cfg(test)]
mod tests;
