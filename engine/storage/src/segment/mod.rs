//! Segments: sorted rows of one table, tenant and day, as Parquet.
//!
//! ```text
//!  memtable batches ─ by day ─ sort ─ drop repeated identities ─ encode ─▶ Encoded
//! ```

mod decimal;
mod encode;
mod keys;
mod samples;
mod sort;
mod writer;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::tables::{Table, TableLayout, date_of_day};

use crate::clock::now_ms;

pub(crate) use self::encode::{Coding, ROW_GROUP_BYTES_MAX, kind_of_cause};
pub(crate) use self::keys::{Key, Keys, integers, range};
use self::samples::Samples;
pub(crate) use self::sort::arrow;
pub(crate) use self::writer::{Facts, Writer, Written};
use crate::promotion::Promoter;
use crate::{Error, ErrorKind, Occupied, Segment};

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
    /// Delete requests up to this number have nothing to do with the rows.
    pub(crate) deletes_applied: u64,
}

/// Encodes rows, one segment a UTC day. Takes a while: not for an async thread.
pub(crate) fn encode(
    origin: &Origin,
    batches: &[RecordBatch],
    layout: &Arc<TableLayout>,
    row_group_rows: usize,
) -> Result<Vec<Encoded>, Error> {
    let table = origin.table;
    if table == Table::MetricSamples
        && let Some(samples) = Samples::sorted(batches)?
    {
        return encode_samples(origin, &samples, layout, row_group_rows);
    }
    let mut segments = Vec::new();
    for (day, rows) in sort::by_day(table, batches)? {
        let mut promoter = Promoter::new(layout);
        let sorted = promoter.promote(&sort::sort(table, &rows)?).map_err(arrow)?;
        let sorted = stored(table, sorted)?;
        let coding = Coding::new(table, &sorted, row_group_rows);
        let schema = Arc::clone(layout.schema());
        let mut writer = Writer::new(table, schema, &coding, Vec::new())?;
        writer.write(&sorted)?;
        segments.push(end(origin, day, writer, &promoter)?);
    }
    Ok(segments)
}

/// The same of samples.
fn encode_samples(
    origin: &Origin,
    samples: &Samples,
    layout: &Arc<TableLayout>,
    row_group_rows: usize,
) -> Result<Vec<Encoded>, Error> {
    let mut segments = Vec::new();
    for day in samples.days() {
        let mut promoter = Promoter::new(layout);
        let coding = Coding::of_samples(day.rows, day.series, row_group_rows);
        let schema = Arc::clone(layout.schema());
        let mut writer = Writer::new(origin.table, schema, &coding, Vec::new())?;
        for rows in day.chunks() {
            let rows = promoter.promote(&rows?).map_err(arrow)?;
            writer.write(&stored(origin.table, rows)?)?;
        }
        segments.push(end(origin, day.day, writer, &promoter)?);
    }
    Ok(segments)
}

/// A segment whose rows are all written.
fn end(
    origin: &Origin,
    day: i32,
    writer: Writer<Vec<u8>>,
    promoter: &Promoter,
) -> Result<Encoded, Error> {
    let Written { sink, facts } = writer.finish()?;
    let place = Place { table: origin.table, tenant: Arc::clone(&origin.tenant), day };
    let mut segment = describe(&place, place.path(&name(origin)), facts);
    segment.occupied = promoter.occupied();
    segment.deletes_applied = origin.deletes_applied;
    Ok(Encoded { segment, bytes: Bytes::from(sink) })
}

/// Rows of memtables in the form of segments.
pub(crate) fn stored(table: Table, rows: RecordBatch) -> Result<RecordBatch, Error> {
    match table {
        Table::MetricSamples => decimal::split(&rows).map_err(arrow),
        _ => Ok(rows),
    }
}

/// Rows of segments in the form of memtables.
pub(crate) fn unstored(table: Table, rows: RecordBatch) -> Result<RecordBatch, Error> {
    match table {
        Table::MetricSamples => decimal::join(&rows).map_err(arrow),
        _ => Ok(rows),
    }
}

/// Where segments of one kind lie.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The table.
    pub(crate) table: Table,
    /// Whose rows.
    pub(crate) tenant: Arc<str>,
    /// UTC day, from 1970-01-01.
    pub(crate) day: i32,
}

impl Place {
    /// `<table>/tenant=<t>/date=<day>/<name>.parquet`.
    pub(crate) fn path(&self, name: &str) -> String {
        format!(
            "{}/tenant={}/date={}/{name}.parquet",
            self.table.name(),
            escape(&self.tenant),
            date_of_day(self.day),
        )
    }
}

/// A written segment as the catalog knows it, fresh from a flush.
pub(crate) fn describe(place: &Place, path: String, facts: Facts) -> Segment {
    let unit_ns = place.table.sort_key().time_unit_ns;
    Segment {
        path,
        tenant: Arc::clone(&place.tenant),
        day: place.day,
        bytes: facts.bytes,
        rows: facts.rows,
        min_time_ns: facts.times.0.saturating_mul(unit_ns),
        max_time_ns: facts.times.1.saturating_mul(unit_ns),
        key_ranges: facts.key_ranges,
        footer_bytes: facts.footer_bytes,
        level: 0,
        crc32c: facts.crc32c,
        deletes_applied: 0,
        created_ms: now_ms(),
        occupied: Occupied::default(),
    }
}

/// `0-<first>-<last>-<writer>`: the same rows of the log have the same name, so a flush that is
/// done again finds what it wrote before. Once there are delete requests, what came before and
/// after them has names of its own.
fn name(origin: &Origin) -> String {
    let (first, last) = origin.sequences;
    match origin.deletes_applied {
        0 => format!("0-{first:012}-{last:012}-{}", origin.writer),
        number => format!("0-{first:012}-{last:012}-{}-d{number}", origin.writer),
    }
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
