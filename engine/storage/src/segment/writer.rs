//! The writer: rows in order, streamed into a Parquet object.
//!
//! ```text
//!  batches ─ check the order ─▶ row groups, closed by rows and bytes ─▶ sink
//!              │                                                         │ length, CRC-32C
//!              └──────────── what the catalog will say ◀─────────────────┘
//! ```
//!
//! Memory is bounded by one row group. A row that is out of order is an error: readers merge
//! segments without sorting them again.

use std::io::{self, Write};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use schemas::tables::Table;

use super::encode::{self, Coding};
use super::keys::{self, Key, Keys};
use crate::{Error, ErrorKind};

/// Bytes at the end of a Parquet file that hold the length of its metadata and the magic.
const TAIL_BYTES: usize = 8;

/// Bytes of rows that are encoded at once; a page may be larger by as much.
const SLICE_BYTES: usize = 1 << 20;

/// Writes one segment.
#[derive(Debug)]
pub(crate) struct Writer<W: Write + Send> {
    table: Table,
    parquet: ArrowWriter<Measured<W>>,
    last: Option<Key>,
    rows: u64,
    times: Option<(i64, i64)>,
    key_ranges: Vec<(i64, i64)>,
}

/// A written segment.
#[derive(Debug)]
pub(crate) struct Written<W> {
    /// Where the bytes went.
    pub(crate) sink: W,
    /// What the catalog will say of it.
    pub(crate) facts: Facts,
}

/// What the catalog says of a segment that only its writer knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Number of rows.
    pub(crate) rows: u64,
    /// Least and greatest time, in the unit of the table's time column; zero without rows.
    pub(crate) times: (i64, i64),
    /// Least and greatest value of each key column.
    pub(crate) key_ranges: Vec<(i64, i64)>,
    /// Size of the object.
    pub(crate) bytes: u64,
    /// Length of the footer with its tail.
    pub(crate) footer_bytes: u64,
    /// CRC-32C of the object.
    pub(crate) crc32c: u32,
}

impl<W: Write + Send> Writer<W> {
    /// A segment of `table` with the columns of `schema` that has no rows yet.
    pub(crate) fn new(
        table: Table,
        schema: SchemaRef,
        coding: &Coding,
        sink: W,
    ) -> Result<Self, Error> {
        let properties = encode::properties(table, &schema, coding).map_err(encode::failed)?;
        let sink = Measured { sink, bytes: 0, crc32c: 0, tail: [0; TAIL_BYTES] };
        let parquet = ArrowWriter::try_new(sink, schema, Some(properties));
        let parquet = parquet.map_err(encode::failed)?;
        Ok(Self { table, parquet, last: None, rows: 0, times: None, key_ranges: Vec::new() })
    }

    /// Adds rows, which must not come before those that were added already. Texts may be views
    /// or plain where the schema has dictionaries.
    ///
    /// `Internal` if they are out of order; the segment must then be given up.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.observe(rows)?;
        let bytes = rows.get_array_memory_size();
        let slices = bytes.div_ceil(SLICE_BYTES).clamp(1, rows.num_rows());
        let slice_rows = rows.num_rows().div_ceil(slices);
        for start in (0..rows.num_rows()).step_by(slice_rows) {
            let length = slice_rows.min(rows.num_rows() - start);
            self.parquet.write(&rows.slice(start, length)).map_err(encode::failed)?;
        }
        Ok(())
    }

    /// Writes the footer.
    pub(crate) fn finish(self) -> Result<Written<W>, Error> {
        let Measured { sink, bytes, crc32c, tail } =
            self.parquet.into_inner().map_err(encode::failed)?;
        let metadata_bytes = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        let facts = Facts {
            rows: self.rows,
            times: self.times.unwrap_or_default(),
            key_ranges: self.key_ranges,
            bytes,
            footer_bytes: u64::from(metadata_bytes) + TAIL_BYTES as u64,
            crc32c,
        };
        Ok(Written { sink, facts })
    }

    fn observe(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let keys = Keys::of(self.table, rows)?;
        let after = self.last.is_none_or(|last| last <= keys.at(0));
        if !after || keys.first_out_of_order().is_some() {
            let message = format!("rows of {} are not in order", self.table.name());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        self.last = Some(keys.at(keys.len() - 1));
        self.rows += keys.len() as u64;
        let times = keys::integers(rows, self.table.sort_key().time_column)?;
        self.times = match (self.times, keys::range(&times)) {
            (Some(known), Some(new)) => Some(union(known, new)),
            (known, new) => new.or(known),
        };
        let ranges = keys.ranges();
        if self.key_ranges.is_empty() {
            self.key_ranges = ranges;
        } else {
            let known = self.key_ranges.iter_mut().zip(ranges);
            known.for_each(|(known, new)| *known = union(*known, new));
        }
        Ok(())
    }
}

fn union(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// A sink that knows what went through it.
#[derive(Debug)]
struct Measured<W> {
    sink: W,
    bytes: u64,
    crc32c: u32,
    /// The last bytes written.
    tail: [u8; TAIL_BYTES],
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        let bytes = &bytes[..written];
        self.bytes += written as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        if let Some(last) = bytes.last_chunk::<TAIL_BYTES>() {
            self.tail = *last;
        } else {
            self.tail.rotate_left(bytes.len());
            self.tail[TAIL_BYTES - bytes.len()..].copy_from_slice(bytes);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
