//! Lines of streams as rows of the tables of logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use schemas::model::Labels;
use schemas::tables::{Table, columns};
use storage::TableBatch;

use super::super::engine::{BoxError, batch, label_maps};

/// The service of streams that name none.
const SERVICE_UNKNOWN: &str = "unknown_service";

/// A line of a stream.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Of the stream.
    pub(super) labels: Labels,
    /// Since 1970.
    pub(super) time_ns: i64,
    /// The text.
    pub(super) line: String,
    /// Structured metadata as a JSON object, if there is any.
    pub(super) metadata: Option<String>,
}

/// The rows of streams and of their lines.
pub(super) fn batches(entries: &[Entry]) -> Result<Vec<TableBatch>, BoxError> {
    Ok(vec![streams(entries)?, lines(entries)?])
}

/// One row for each stream, at its first line: no load of a case is longer than a day.
fn streams(entries: &[Entry]) -> Result<TableBatch, BoxError> {
    let mut first: BTreeMap<&Labels, i64> = BTreeMap::new();
    for entry in entries {
        let time_ns = first.entry(&entry.labels).or_insert(entry.time_ns);
        *time_ns = entry.time_ns.min(*time_ns);
    }
    let ids = Int64Array::from_iter_values(first.keys().map(|labels| labels.id()));
    let times = Int64Array::from_iter_values(first.values().copied());
    let services = StringArray::from(vec![SERVICE_UNKNOWN; first.len()]);
    batch(
        Table::LogStreams,
        &[
            (columns::STREAM_ID, Arc::new(ids)),
            (columns::TIME_NS, Arc::new(times)),
            (columns::LABELS, label_maps(first.keys().copied())?),
            (columns::SERVICE, Arc::new(services)),
            (columns::RESOURCE_DROPPED_ATTRIBUTES_COUNT, zeros(first.len())),
            (columns::SCOPE_DROPPED_ATTRIBUTES_COUNT, zeros(first.len())),
        ],
    )
}

fn lines(entries: &[Entry]) -> Result<TableBatch, BoxError> {
    let ids = Int64Array::from_iter_values(entries.iter().map(|entry| entry.labels.id()));
    let times = Int64Array::from_iter_values(entries.iter().map(|entry| entry.time_ns));
    let lines = StringArray::from_iter_values(entries.iter().map(|entry| &entry.line));
    let metadata: StringArray = entries.iter().map(|entry| entry.metadata.as_ref()).collect();
    batch(
        Table::Logs,
        &[
            (columns::STREAM_ID, Arc::new(ids)),
            (columns::TIME_NS, Arc::new(times)),
            (columns::BODY, Arc::new(lines)),
            (columns::FLAGS, zeros(entries.len())),
            (columns::DROPPED_ATTRIBUTES_COUNT, zeros(entries.len())),
            (columns::ATTRIBUTES, Arc::new(metadata)),
        ],
    )
}

fn zeros(rows: usize) -> ArrayRef {
    Arc::new(Int32Array::from(vec![0; rows]))
}
