//! The store: one room for the WAL, the memtables and the catalogs.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::model::{Signal, TimestampNs};
use schemas::tables::Table;

use crate::{Error, LabelIndex, Snapshot, StoreOptions};

/// Rows of one table, in its schema, in any order, of any days.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// The table.
    pub table: Table,
    /// The rows.
    pub rows: RecordBatch,
}

/// A request body as it is kept in the WAL.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who sent it.
    pub tenant: Arc<str>,
    /// What it holds.
    pub signal: Signal,
    /// How the payload is encoded; the number's meaning is the decoder's own.
    pub encoding: u8,
    /// When it was received.
    pub received_ns: TimestampNs,
    /// The body as received.
    pub payload: Bytes,
}

/// A request that is to be stored.
#[derive(Clone, Debug)]
pub struct Write {
    /// What goes into the WAL.
    pub frame: Frame,
    /// What the frame decodes to: what goes into the memtables.
    pub batches: Vec<TableBatch>,
}

/// Turns WAL frames back into rows when the store is opened after a crash.
pub trait Decode: Send + Sync {
    /// The rows of a frame: the same as when it was first decoded, but for rows of the series
    /// and stream tables, which are made whenever `series` and `streams` do not know them.
    fn decode(
        &self,
        frame: &Frame,
        series: &LabelIndex,
        streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Counters since the store was opened, and gauges of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Bytes appended to the WAL.
    pub wal_bytes: u64,
    /// Times the WAL was synced.
    pub wal_syncs: u64,
    /// Nanoseconds spent in syncing the WAL.
    pub wal_sync_ns: u64,
    /// Bytes now in memtables, active and being flushed.
    pub memtable_bytes: u64,
    /// Rows appended, by table in the order of `Table::ALL`.
    pub rows: [u64; 7],
    /// Flushes done.
    pub flushes: u64,
    /// Nanoseconds spent in flushes.
    pub flush_ns: u64,
    /// Flushes that failed and will be tried again.
    pub flush_errors: u64,
    /// Live segments, all tables.
    pub segments: u64,
    /// Bytes of live segments.
    pub segment_bytes: u64,
    /// Series now in the index.
    pub series: u64,
    /// Streams now in the index.
    pub streams: u64,
}

/// The lake of one process: append, read, flush.
#[derive(Debug)]
pub struct Store {}

impl Store {
    /// Opens or creates the lake, loads the catalogs, and replays the WAL.
    pub async fn open(
        _options: StoreOptions,
        _decode: Arc<dyn Decode>,
    ) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {}))
    }

    /// Stores a request. When this returns `Ok`, it is durable and every later snapshot holds it.
    ///
    /// `Limit` if too much is waiting to be flushed, `Unavailable` if the disk refuses.
    pub async fn append(&self, _write: Write) -> Result<(), Error> {
        Ok(())
    }

    /// What `tenant` can read now.
    pub fn snapshot(&self, _tenant: &str) -> Snapshot {
        unreachable!("written next")
    }

    /// The series index of a tenant.
    pub fn series(&self, _tenant: &str) -> Arc<LabelIndex> {
        Arc::default()
    }

    /// The stream index of a tenant.
    pub fn streams(&self, _tenant: &str) -> Arc<LabelIndex> {
        Arc::default()
    }

    /// Writes everything in the memtables to segments and releases the WAL.
    pub async fn flush(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Flushes and stops the background work; later appends are refused.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Counters and gauges.
    pub fn stats(&self) -> StoreStats {
        StoreStats::default()
    }
}
