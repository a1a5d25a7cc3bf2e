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

mod bits;
mod cardinality;
mod days;
mod entries;
mod groups;
mod infos;
mod names;
mod pages;
mod posting;
mod rows;
mod select;
mod sorted;
mod streams;
mod table;
mod unseen;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use parking_lot::RwLock;
use schemas::model::{CompiledMatcher, Label, Labels, METRIC_NAME, TimeRange};
use schemas::tables::day_of_ns;

use crate::{Budget, Error, ErrorKind, Use};
pub use cardinality::Cardinality;
use entries::{Admission, Entries};
pub use groups::GroupedSeries;
use rows::Rows;
use select::Reader;

/// Rows that are entered before other users of the index get their turn.
const ROWS_PER_LOCK: usize = 1024;

/// Entries that are removed before other users of the index get their turn.
const REMOVED_PER_LOCK: usize = 256;

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

impl SeriesInfo {
    /// Whether samples are increases, each since the one before.
    pub fn is_delta(&self) -> bool {
        self.temporality == "delta"
    }
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

impl SeriesEntry {
    /// Memory of an entry beside its labels, in bytes.
    pub const BYTES: usize = size_of::<Self>() + 16;

    /// Memory of a label, in bytes; its texts belong to the index.
    pub const LABEL_BYTES: usize = size_of::<Label>();
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
///
/// Long reads make way for writers every thousand steps, and writers for readers every thousand
/// rows, so neither holds up the other for more than about a millisecond.
#[derive(Debug, Default)]
pub struct LabelIndex {
    entries: RwLock<Entries>,
    /// Held shared while ordinals are in somebody's hands, so that none is given to another entry
    /// meanwhile; held alone while entries are forgotten.
    ordinals: RwLock<()>,
    generation: Generation,
}

/// A number that no other index of the process has or will have.
#[derive(Debug)]
struct Generation(AtomicU64);

impl Generation {
    fn next() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Something was forgotten. To be called behind it and before the lock is given back, so that
    /// nobody sees the new number together with what is forgotten.
    fn advance(&self) {
        self.0.store(Self::next(), Ordering::Release);
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self(AtomicU64::new(Self::next()))
    }
}

/// A row that has a place in the index and waits for being durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    ordinal: u32,
    day: i32,
}

impl LabelIndex {
    /// An empty index whose memory is taken from a budget.
    pub(crate) fn within(budget: &Arc<Budget>) -> Self {
        let entries = Entries::within(budget.reservation(Use::Index));
        Self { entries: RwLock::new(entries), ..Self::default() }
    }

    /// Enters rows of `metric_series` or `log_streams`; rows that are known change nothing.
    ///
    /// `Invalid` if an id arrives with other labels than it had before: such rows are never mixed.
    pub fn absorb(&self, batch: &RecordBatch) -> Result<(), Error> {
        let _ordinals = self.ordinals.read();
        let marks = self.enter(batch, Admission::Anyway)?;
        self.publish(&marks);
        Ok(())
    }

    /// Enters rows like [`Self::absorb`] and returns those that were new for their day.
    pub(crate) fn absorb_new(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let _ordinals = self.ordinals.read();
        let is_new = self.publish(&self.enter(batch, Admission::Anyway)?);
        if is_new.iter().all(|is_new| *is_new) {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::from(is_new)).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "known rows cannot be left out", error)
        })
    }

    /// Gives each row a place, unseen: what passes here can be absorbed.
    ///
    /// `Invalid` as of [`Self::absorb`], `Limit` if the memory budget has no room for a new
    /// entry.
    pub(crate) fn reserve(&self, batch: &RecordBatch) -> Result<(), Error> {
        let _ordinals = self.ordinals.read();
        self.enter(batch, Admission::WithinBudget).map(|_| ())
    }

    /// Whether the memory budget has room for new entries; `Limit` if not.
    pub fn check_room(&self) -> Result<(), Error> {
        self.entries.read().check_room()
    }

    /// Gives each row a place; the result has one mark for each row, in order.
    fn enter(&self, batch: &RecordBatch, admission: Admission) -> Result<Vec<Mark>, Error> {
        let rows = Rows::of(batch)?;
        let mut marks = Vec::with_capacity(batch.num_rows());
        let mut last = None;
        for start in (0..batch.num_rows()).step_by(ROWS_PER_LOCK) {
            let end = batch.num_rows().min(start + ROWS_PER_LOCK);
            let mut entries = self.entries.write();
            for row in start..end {
                let ordinal = entries.enter(&rows, row, last, admission)?;
                last = Some(ordinal);
                marks.push(Mark { ordinal, day: rows.day(row) });
            }
            entries.settle();
        }
        Ok(marks)
    }

    /// Makes reserved rows visible; tells for each whether its id was new for its day.
    fn publish(&self, marks: &[Mark]) -> Vec<bool> {
        let mut is_new = Vec::with_capacity(marks.len());
        for marks in marks.chunks(ROWS_PER_LOCK) {
            let mut entries = self.entries.write();
            is_new.extend(marks.iter().map(|mark| entries.days.insert(mark.ordinal, mark.day)));
            entries.settle();
        }
        is_new
    }

    /// Forgets on which days before `day`, counted from 1970-01-01, entries were seen, and
    /// entries that were seen at no later time. Returns how many those are.
    pub fn forget_before(&self, day: i32) -> usize {
        let gone = {
            let mut entries = self.entries.write();
            let len = entries.ordinals();
            let gone: Vec<u32> = entries.days.forget_before(day, len).iter().collect();
            self.generation.advance();
            entries.settle();
            gone
        };
        let mut forgotten = 0;
        for ordinals in gone.chunks(REMOVED_PER_LOCK) {
            let _ordinals = self.ordinals.write();
            let mut entries = self.entries.write();
            for ordinal in ordinals {
                // It may have come again meanwhile.
                if !entries.days.is_seen(*ordinal) {
                    entries.remove(*ordinal);
                    forgotten += 1;
                }
            }
            entries.settle();
        }
        forgotten
    }

    /// The entries that every matcher accepts and that were seen on a day of `range`, sorted by
    /// `(metric_id, id)`.
    pub fn resolve(&self, matchers: &[CompiledMatcher], range: &TimeRange) -> Vec<SeriesEntry> {
        let resolved = self.resolve_within(matchers, range, |_| Ok::<(), Infallible>(()));
        resolved.unwrap_or_else(|never| match never {})
    }

    /// The same, after `admit` was told how many there are and agreed: an entry takes about
    /// [`SeriesEntry::BYTES`] and its labels [`SeriesEntry::LABEL_BYTES`] each.
    pub fn resolve_within<E>(
        &self,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
        admit: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<Vec<SeriesEntry>, E> {
        self.resolve_up_to(usize::MAX, matchers, range, admit)
    }

    /// The same, but only some entries if there are more than `limit`.
    pub fn resolve_up_to<E>(
        &self,
        limit: usize,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
        admit: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<Vec<SeriesEntry>, E> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let selected = reader.select(matchers, range);
        let count = selected.count().min(limit);
        admit(count)?;
        let mut found = Vec::with_capacity(count);
        let some = selected.iter().take(limit);
        found.extend(some.map(|ordinal| reader.step().series_entry(ordinal)));
        drop(reader);
        found.sort_unstable_by_key(|entry| (entry.metric_id, entry.id));
        Ok(found)
    }

    /// Number of entries that every matcher accepts and that were seen on a day of `range`.
    pub fn count(&self, matchers: &[CompiledMatcher], range: &TimeRange) -> usize {
        let _ordinals = self.ordinals.read();
        Reader::new(&self.entries).select(matchers, range).count()
    }

    /// The names of labels that entries have which every matcher accepts and that were seen on a
    /// day of `range`, sorted.
    pub fn label_names(&self, matchers: &[CompiledMatcher], range: &TimeRange) -> Vec<Arc<str>> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let selected = reader.select(matchers, range);
        reader.names(&selected)
    }

    /// The values of one label that entries have which every matcher accepts and that were seen
    /// on a day of `range`, sorted; never the empty value.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
    ) -> Vec<Arc<str>> {
        self.label_values_up_to(usize::MAX, name, matchers, range)
    }

    /// The same, but only the first `limit` of them.
    pub fn label_values_up_to(
        &self,
        limit: usize,
        name: &str,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
    ) -> Vec<Arc<str>> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let selected = reader.select(matchers, range);
        reader.values(name, &selected, limit)
    }

    /// The names of the metrics of a tenant, sorted, each with what is known of one of its
    /// series.
    pub fn metrics(&self) -> Vec<(Arc<str>, Arc<SeriesInfo>)> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let pairs = reader.pairs_of(METRIC_NAME);
        let mut metrics = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let entries = reader.step();
            let pair = entries.names.pair(pair);
            if let Some(ordinal) = pair.posting.first() {
                metrics.push((Arc::clone(pair.value()), entries.info(ordinal)));
            }
        }
        metrics
    }

    /// The entry of `id`, whenever it was seen.
    pub fn entry(&self, id: i64) -> Option<SeriesEntry> {
        let entries = self.entries.read();
        let ordinal = entries.ordinal(id)?;
        entries.days.is_seen(ordinal).then(|| entries.series_entry(ordinal))
    }

    /// Whether `id` is known for `day`, counted from 1970-01-01.
    pub fn contains(&self, id: i64, day: i32) -> bool {
        let entries = self.entries.read();
        entries.ordinal(id).is_some_and(|ordinal| entries.days.is_seen_on(ordinal, day))
    }

    /// Changes whenever something is forgotten, and is never that of another index: what
    /// [`Self::contains`] has said stays true as long as this is what it was before.
    pub fn generation(&self) -> u64 {
        self.generation.0.load(Ordering::Acquire)
    }

    /// How many entries were seen on `day`, counted from 1970-01-01.
    pub fn seen_on(&self, day: i32) -> usize {
        self.entries.read().days.seen_on(day)
    }

    /// Whether `id` is known at all: it takes no more memory to see it on another day.
    pub fn knows(&self, id: i64) -> bool {
        self.entries.read().ordinal(id).is_some()
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

    /// Memory that the index holds, in bytes, reckoned from its parts.
    pub fn bytes(&self) -> usize {
        self.entries.read().bytes()
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
