//! Snapshots: what a query reads, fixed for as long as it runs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use object_store::ObjectStore;
use schemas::model::TimeRange;
use schemas::tables::{Table, TableLayout};

use crate::{Deletes, LabelIndex, Occupied, Segments};

/// Everything one tenant can read at one moment: each acknowledged row exactly once, either in
/// a segment or in a memtable batch.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whose data it is.
    pub tenant: Arc<str>,
    /// Where segments lie.
    pub objects: Arc<dyn ObjectStore>,
    /// What each table holds; a table without rows is absent.
    pub tables: HashMap<Table, TableSnapshot>,
    /// The columns of each table; the starting ones of a table that is absent.
    pub layouts: HashMap<Table, Arc<TableLayout>>,
    /// What of the segments must not be seen; memtable batches are without it already.
    pub deletes: Deletes,
    /// All series known; it may know more than the tables hold, never less.
    pub series: Arc<LabelIndex>,
    /// All log streams known; it may know more than the tables hold, never less.
    pub streams: Arc<LabelIndex>,
}

impl Snapshot {
    /// What a table holds.
    pub fn table(&self, table: Table) -> TableSnapshot {
        self.tables.get(&table).cloned().unwrap_or_default()
    }

    /// The columns of a table: every segment and every batch has some of them, in this order.
    pub fn layout(&self, table: Table) -> Arc<TableLayout> {
        Arc::clone(self.layouts.get(&table).unwrap_or_else(|| TableLayout::starting(table)))
    }
}

/// What one table holds for one tenant.
#[derive(Clone, Debug, Default)]
pub struct TableSnapshot {
    /// Segments, each sorted by the table's sort key; they may overlap in time.
    pub segments: Segments,
    /// Rows not yet in segments, in order of arrival, in the table's layout or one before it:
    /// [`crate::fit`] lays them out.
    pub batches: Vec<RecordBatch>,
}

impl TableSnapshot {
    /// The segments that may hold rows of `range`.
    pub fn segments_in(&self, range: &TimeRange) -> Vec<Arc<Segment>> {
        self.segments.in_range(range)
    }
}

/// An immutable Parquet object of one table, tenant and day.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Path in the object store.
    pub path: String,
    /// Tenant whose rows it holds.
    pub tenant: Arc<str>,
    /// UTC day of all its rows, from 1970-01-01.
    pub day: i32,
    /// Size of the object.
    pub bytes: u64,
    /// Number of rows; positive.
    pub rows: u64,
    /// Time of the oldest row, inclusive, in nanoseconds.
    pub min_time_ns: i64,
    /// Time of the newest row, inclusive, in nanoseconds.
    pub max_time_ns: i64,
    /// Least and greatest value of each integer column of the sort key, in its order.
    pub key_ranges: Vec<(i64, i64)>,
    /// Length of the Parquet footer (metadata and its 8-byte tail), so one request reads it.
    pub footer_bytes: u64,
    /// How often its rows were merged: 0 as flushed, 1 merged within an hour, 2 within a day.
    pub level: u8,
    /// CRC-32C of the whole object; 0 if the log does not tell.
    pub crc32c: u32,
    /// Delete requests with a number up to this one hold for its rows already: none of them
    /// matches. 0 if there was none.
    pub deletes_applied: u64,
    /// When it was written, in milliseconds since 1970-01-01; 0 if the log does not tell.
    pub created_ms: i64,
    /// Which promoted attributes its rows have, and where they are.
    pub occupied: Occupied,
}
