//! Segments: sorted rows of one table, tenant and day, as Parquet.
//!
//! ```text
//!  memtable batches ─ by day ─ sort ─ drop repeated identities ─ encode ─▶ Encoded
//! ```

mod decimal;
mod encode;
mod sort;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::tables::{Table, date_of_day};

use crate::clock::now_ms;
use crate::{Error, ErrorKind, Segment};

/// Longest folder name of a tenant in bytes; most file systems take 255 with `tenant=`.
const TENANT_FOLDER_BYTES_MAX: usize = 200;

/// A segment that is not stored yet.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// What the catalog will say of it.
    pub(crate) segment: Segment,
    /// The Parquet object.
    pub(crate) bytes: Bytes,
}

/// Which rows a segment is made of.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The table.
    pub(crate) table: Table,
    /// Whose rows.
    pub(crate) tenant: Arc<str>,
    /// First and last sequence number of the log that may have rows here.
    pub(crate) sequences: (u64, u64),
    /// Tells the segments of different lakes and rewrites apart.
    pub(crate) writer: Arc<str>,
}

/// Encodes rows, one segment a UTC day. Takes a while: not for an async thread.
pub(crate) fn encode(
    origin: &Origin,
    batches: &[RecordBatch],
    row_group_rows: usize,
) -> Result<Vec<Encoded>, Error> {
    let mut segments = Vec::new();
    for (day, rows) in sort::by_day(origin.table, batches)? {
        let sorted = sort::sort(origin.table, &rows)?;
        let stored = match origin.table {
            Table::MetricSamples => decimal::split(&sorted.rows).map_err(sort::arrow)?,
            _ => sorted.rows,
        };
        let (bytes, footer_bytes) = encode::parquet(origin.table, &stored, row_group_rows)?;
        let key = origin.table.sort_key();
        let segment = Segment {
            path: path(origin, day),
            tenant: Arc::clone(&origin.tenant),
            day,
            bytes: bytes.len() as u64,
            rows: stored.num_rows() as u64,
            min_time_ns: sorted.times.0.saturating_mul(key.time_unit_ns),
            max_time_ns: sorted.times.1.saturating_mul(key.time_unit_ns),
            key_ranges: sorted.key_ranges,
            footer_bytes,
            level: 0,
            crc32c: crc32c::crc32c(&bytes),
            deletes_applied: 0,
            created_ms: now_ms(),
        };
        segments.push(Encoded { segment, bytes });
    }
    Ok(segments)
}

/// `<table>/tenant=<t>/date=<day>/0-<first>-<last>-<writer>.parquet`: the same rows of the log
/// have the same name, so a flush that is done again finds what it wrote before.
fn path(origin: &Origin, day: i32) -> String {
    let (first, last) = origin.sequences;
    format!(
        "{}/tenant={}/date={}/0-{first:012}-{last:012}-{}.parquet",
        origin.table.name(),
        escape(&origin.tenant),
        date_of_day(day),
        origin.writer
    )
}

/// Refuses a tenant whose rows could never be flushed.
pub(crate) fn check_tenant(tenant: &str) -> Result<(), Error> {
    let bytes = escape(tenant).len();
    if (1..=TENANT_FOLDER_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    let message = format!(
        "a tenant's folder name of {bytes} bytes is not 1 to \
                           {TENANT_FOLDER_BYTES_MAX} bytes long"
    );
    Err(Error::new(ErrorKind::Invalid, message))
}

/// A tenant's name as a folder name: everything but letters, digits, `-` and `_` as `.XX`, since
/// object stores and Delta both give `%` a meaning of their own.
fn escape(tenant: &str) -> String {
    let mut escaped = String::with_capacity(tenant.len());
    for byte in tenant.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!(".{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
