//! Identities: the label indexes are filled from the segments of series and stream tables.
//!
//! When a lake is opened, from all of them; later from those that other processes have added.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::StreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::model::Signal;
use schemas::tables::Table;

use crate::objects::Objects;
use crate::store::Shared;
use crate::{Error, ErrorKind, Segment};

/// Segments that are read at once.
const READS_AT_ONCE: usize = 8;

/// The table that holds the labels of a table's rows; `None` if each row has its own.
pub(crate) fn identities_of(table: Table) -> Option<Table> {
    match (table, table.signal()) {
        (Table::MetricSeries | Table::LogStreams, _) | (_, Signal::Traces) => None,
        (_, Signal::Metrics) => Some(Table::MetricSeries),
        (_, Signal::Logs) => Some(Table::LogStreams),
    }
}

/// Whether the rows of a table are labels of other tables' rows.
pub(crate) fn are_identities(table: Table) -> bool {
    matches!(table, Table::MetricSeries | Table::LogStreams)
}

/// Takes the rows of segments into the label indexes; of tables without labels nothing. A segment
/// that is damaged is named in the log and passed over: all other labels can be told.
///
/// All days of them: an index must know whatever a segment may hold, and a day more of a series
/// that is known costs a bit.
pub(crate) async fn load(
    shared: &Shared,
    table: Table,
    segments: &[Arc<Segment>],
    objects: &Objects,
) -> Result<(), Error> {
    if !are_identities(table) {
        return Ok(());
    }
    // Owned, or the compiler cannot tell that the future may move between threads.
    let segments = segments.to_vec();
    let reads = segments.into_iter().map(|segment| {
        let objects = objects.clone();
        async move {
            let read = objects.read_range(&segment.path, 0..segment.bytes).await;
            (segment, read)
        }
    });
    let mut reads = futures::stream::iter(reads).buffered(READS_AT_ONCE).boxed();
    while let Some((segment, read)) = reads.next().await {
        let loaded = read.and_then(|bytes| load_segment(shared, table, &segment, bytes));
        match loaded {
            Err(error) if error.kind() == ErrorKind::Damaged => {
                shared.counters.catalog.errors.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "a segment is damaged: labels in it cannot be told");
            }
            loaded => loaded?,
        }
    }
    Ok(())
}

fn load_segment(
    shared: &Shared,
    table: Table,
    segment: &Segment,
    bytes: Bytes,
) -> Result<(), Error> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        let message = format!("{}: {error}", segment.path);
        Error::with_source(ErrorKind::Damaged, message, error)
    };
    if segment.crc32c != 0 && crc32c::crc32c(&bytes) != segment.crc32c {
        return Err(damaged("its bytes are not those that were written".into()));
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| damaged(error.into()))?;
    for rows in reader {
        let rows = rows.map_err(|error| damaged(error.into()))?;
        if let Err(error) = shared.absorb_segment(table, segment, &rows) {
            // All other rows can be read all the same.
            tracing::error!(path = segment.path, %error, "rows are left out of the index");
        }
    }
    Ok(())
}
