//! One column of a row group, read forward, page by page, into buffers.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::packed::{differences, hybrid};

/// In place of an integer that is null.
pub(in super::super) const ABSENT: i64 = i64::MIN;

/// Rows that follow one another with the same value: where they end, exclusive, and the value.
pub(in super::super) type Run = (u32, i64);

/// Parts of an object that were read, by where they begin, ascending.
#[derive(Debug)]
pub(in super::super) struct Fetched {
    /// Where each part begins, and what it holds.
    pub(in super::super) parts: Vec<(u64, Bytes)>,
    /// Length of the whole object.
    pub(in super::super) length: u64,
}

impl Length for Fetched {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Fetched {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(broken("a page that was not fetched"));
        }
        Ok(bytes.slice(..length))
    }
}

impl Fetched {
    fn from(&self, start: u64) -> Result<Bytes> {
        let after = self.parts.partition_point(|part| part.0 <= start);
        let part = after.checked_sub(1).and_then(|at| self.parts.get(at));
        part.and_then(|(begin, bytes)| {
            let skipped = usize::try_from(start - begin).ok()?;
            (skipped <= bytes.len()).then(|| bytes.slice(skipped..))
        })
        .ok_or_else(|| broken("a page that was not fetched"))
    }
}

/// A column of a row group.
pub(in super::super) struct Column {
    reader: SerializedPageReader<Fetched>,
    physical: Type,
    is_nullable: bool,
    /// First row of each page, and after the last one the number of rows.
    starts: Vec<u32>,
    /// The page that comes next.
    next: usize,
    dictionary: Vec<i64>,
    /// Rows of the page that was read last, which is in the buffers.
    rows: Range<usize>,
}

/// The values of the page of a column that was read last.
#[derive(Debug, Default)]
pub(in super::super) struct PageBuffers {
    /// One for each row, or empty.
    numbers: Vec<i64>,
    /// The same as runs, or empty.
    runs: Vec<Run>,
}

impl PageBuffers {
    /// Memory that they hold, in bytes.
    pub(in super::super) fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<i64>() + self.runs.capacity() * size_of::<Run>()
    }
}

impl Column {
    /// The column of a chunk with these pages, of a row group of `rows` rows.
    pub(in super::super) fn new(
        fetched: &Arc<Fetched>,
        chunk: &ColumnChunkMetaData,
        pages: &[PageLocation],
        rows: u32,
    ) -> Result<Self> {
        let reader = Arc::clone(fetched);
        let mut reader =
            SerializedPageReader::new(reader, chunk, rows as usize, Some(pages.to_vec()))?;
        let physical = chunk.column_type();
        let mut dictionary = Vec::new();
        if reader.peek_next_page()?.is_some_and(|page| page.is_dict)
            && let Some(Page::DictionaryPage { buf, num_values, .. }) = reader.get_next_page()?
        {
            plain(physical, &buf, num_values as usize, &mut dictionary).ok_or_else(malformed)?;
        }
        let first = |page: &PageLocation| u32::try_from(page.first_row_index).unwrap_or(rows);
        let mut starts: Vec<u32> = pages.iter().map(first).collect();
        starts.push(rows);
        if !starts.is_sorted() {
            return Err(malformed());
        }
        Ok(Self {
            reader,
            physical,
            is_nullable: chunk.column_descr().max_def_level() > 0,
            starts,
            next: 0,
            dictionary,
            rows: 0..0,
        })
    }

    /// The values of some rows, which must not come before those read already; nulls are 0.
    /// Numbers are given by their bits. The buffers must be the same ones for all calls, and serve
    /// no other column before this one is read. Rows of several pages are put together in `to`.
    pub(in super::super) fn numbers<'a>(
        &mut self,
        rows: Range<u32>,
        buffers: &'a mut PageBuffers,
        to: &'a mut Vec<i64>,
    ) -> Result<&'a [i64]> {
        let (mut row, end) = (rows.start as usize, rows.end as usize);
        to.clear();
        while row < end {
            self.advance(row, Form::Numbers, buffers)?;
            let until = end.min(self.rows.end);
            let first = self.rows.start;
            if row == rows.start as usize && until == end {
                return Ok(&buffers.numbers[row - first..until - first]);
            }
            to.extend_from_slice(&buffers.numbers[row - first..until - first]);
            row = until;
        }
        Ok(to)
    }

    /// Adds the values of some rows, which must not come before those read already, as runs;
    /// nulls are [`ABSENT`]. Buffers as for [`Self::numbers`].
    pub(in super::super) fn runs(
        &mut self,
        rows: Range<u32>,
        buffers: &mut PageBuffers,
        to: &mut Vec<Run>,
    ) -> Result<()> {
        let (mut row, end) = (rows.start, rows.end);
        while row < end {
            self.advance(row as usize, Form::Runs, buffers)?;
            let from = buffers.runs.partition_point(|run| run.0 <= row);
            for (until, value) in &buffers.runs[from..] {
                extend(to, end.min(*until), *value);
                row = end.min(*until);
                if row == end {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads pages until the one that holds a row.
    fn advance(&mut self, row: usize, form: Form, buffers: &mut PageBuffers) -> Result<()> {
        while row >= self.rows.end {
            let bounds = self.starts.get(self.next..self.next + 2).ok_or_else(malformed)?;
            let rows = bounds[0] as usize..bounds[1] as usize;
            self.next += 1;
            if row >= rows.end {
                self.reader.skip_next_page()?;
                continue;
            }
            let page = self.reader.get_next_page()?.ok_or_else(malformed)?;
            self.rows = rows;
            self.decode(&page, form, buffers)?;
        }
        if row < self.rows.start { Err(malformed()) } else { Ok(()) }
    }

    fn decode(&self, page: &Page, form: Form, buffers: &mut PageBuffers) -> Result<()> {
        buffers.numbers.clear();
        buffers.runs.clear();
        let rows = self.rows.len();
        if page.num_values() as usize != rows {
            return Err(malformed());
        }
        let (present, values) = self.split(page).ok_or_else(malformed)?;
        let (present, encoding) = (present.as_deref(), page.encoding());
        let count = present
            .map_or(rows, |present| present.iter().filter(|run| run.0).map(|run| run.1).sum());
        let read = match form {
            Form::Runs => self.read_runs(encoding, values, count, present, buffers),
            Form::Numbers => self.read_numbers(encoding, values, count, &mut buffers.numbers),
        };
        read.ok_or_else(malformed)?;
        if let (Form::Numbers, Some(present)) = (form, present) {
            buffers.numbers = spread(&buffers.numbers, present);
        }
        Ok(())
    }

    /// Which values are there, as runs, `None` for all; and the bytes of those that are.
    fn split<'a>(&self, page: &'a Page) -> Option<(Option<Vec<Present>>, &'a [u8])> {
        let bytes: &[u8] = page.buffer();
        if !self.is_nullable {
            return Some((None, bytes));
        }
        let (levels, values) = match page {
            Page::DataPage { def_level_encoding: Encoding::RLE, .. } => {
                let (length, rest) = bytes.split_first_chunk::<4>()?;
                rest.split_at_checked(u32::from_le_bytes(*length) as usize)?
            }
            Page::DataPageV2 { def_levels_byte_len, .. } => {
                bytes.split_at_checked(*def_levels_byte_len as usize)?
            }
            _ => return None,
        };
        let mut present: Vec<Present> = Vec::new();
        hybrid(levels, 1, self.rows.len(), |level, times| {
            match present.last_mut() {
                Some(last) if last.0 == (level == 1) => last.1 += times,
                _ => present.push((level == 1, times)),
            }
            Some(())
        })?;
        let is_full = present.iter().all(|run| run.0);
        Some(((!is_full).then_some(present), values))
    }

    /// Adds a run for every stretch of one value or of none.
    fn read_runs(
        &self,
        encoding: Encoding,
        bytes: &[u8],
        count: usize,
        present: Option<&[Present]>,
        buffers: &mut PageBuffers,
    ) -> Option<()> {
        let PageBuffers { numbers, runs } = buffers;
        let mut places = Places::new(self.rows.start, self.rows.len(), present);
        if is_dictionary(encoding) && count > 0 {
            let (width, packed) = bytes.split_first()?;
            hybrid(packed, u32::from(*width), count, |place, times| {
                let value = *self.dictionary.get(place as usize)?;
                places.fill(runs, value, times);
                Some(())
            })?;
        } else {
            self.read_numbers(encoding, bytes, count, numbers)?;
            numbers.iter().for_each(|value| places.fill(runs, *value, 1));
        }
        places.fill(runs, ABSENT, 0);
        Some(())
    }

    /// Adds those values that are there.
    fn read_numbers(
        &self,
        encoding: Encoding,
        bytes: &[u8],
        count: usize,
        to: &mut Vec<i64>,
    ) -> Option<()> {
        match encoding {
            _ if count == 0 => Some(()),
            Encoding::PLAIN => plain(self.physical, bytes, count, to),
            Encoding::DELTA_BINARY_PACKED => differences(bytes, count, to),
            encoding if is_dictionary(encoding) => {
                let (width, packed) = bytes.split_first()?;
                hybrid(packed, u32::from(*width), count, |place, times| {
                    let value = *self.dictionary.get(place as usize)?;
                    to.resize(to.len() + times, value);
                    Some(())
                })
            }
            _ => None,
        }
    }
}

fn is_dictionary(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
}

/// What a column is read as.
#[derive(Clone, Copy, Debug)]
enum Form {
    Numbers,
    Runs,
}

/// Whether so many rows in sequence have a value.
type Present = (bool, usize);

/// Gives every row a place: those without a value get 0.
fn spread(dense: &[i64], present: &[Present]) -> Vec<i64> {
    let mut spread = Vec::with_capacity(present.iter().map(|run| run.1).sum());
    let mut at = 0;
    for (is_present, times) in present {
        if *is_present {
            spread.extend_from_slice(&dense[at..at + times]);
            at += times;
        } else {
            spread.resize(spread.len() + times, 0);
        }
    }
    spread
}

/// Rows of a page that are still to be given values, in order.
struct Places<'a> {
    row: usize,
    /// Runs of rows that have values and such that have none, the first one as far as it is left.
    present: &'a [Present],
    left: usize,
}

impl<'a> Places<'a> {
    fn new(row: usize, rows: usize, present: Option<&'a [Present]>) -> Self {
        let (present, left) = match present {
            None => (&[][..], rows),
            Some(present) => (present, present.first().map_or(0, |run| run.1)),
        };
        Self { row, present, left }
    }

    /// Gives a value to the next `times` rows that have one, and [`ABSENT`] to those between and
    /// right after them that have none.
    fn fill(&mut self, runs: &mut Vec<Run>, value: i64, mut times: usize) {
        loop {
            match self.present.first() {
                Some((false, _)) => {
                    self.row += self.left;
                    extend(runs, self.row as u32, ABSENT);
                    self.left = 0;
                }
                _ => {
                    let taken = times.min(self.left);
                    if taken > 0 {
                        self.row += taken;
                        extend(runs, self.row as u32, value);
                    }
                    times -= taken;
                    self.left -= taken;
                }
            }
            if self.left > 0 || self.present.len() <= 1 {
                return;
            }
            self.present = &self.present[1..];
            self.left = self.present[0].1;
        }
    }
}

/// Lets a value go on until a row.
pub(in super::super) fn extend(runs: &mut Vec<Run>, until: u32, value: i64) {
    match runs.last_mut() {
        Some(last) if last.1 == value => last.0 = until,
        _ => runs.push((until, value)),
    }
}

/// Adds integers, or the bits of numbers, that are stored as they are.
fn plain(physical: Type, bytes: &[u8], count: usize, to: &mut Vec<i64>) -> Option<()> {
    match physical {
        Type::INT64 | Type::DOUBLE => {
            let bytes = bytes.get(..count.checked_mul(size_of::<i64>())?)?;
            let (values, _) = bytes.as_chunks::<8>();
            to.extend(values.iter().map(|value| i64::from_le_bytes(*value)));
        }
        Type::INT32 => {
            let bytes = bytes.get(..count.checked_mul(size_of::<i32>())?)?;
            let (values, _) = bytes.as_chunks::<4>();
            to.extend(values.iter().map(|value| i64::from(i32::from_le_bytes(*value))));
        }
        _ => return None,
    }
    Some(())
}

fn malformed() -> ParquetError {
    broken("a page that does not hold what its header says, or is encoded in an unknown way")
}

fn broken(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
