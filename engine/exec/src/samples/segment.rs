//! Reading a segment: its map, the directory of a row group, and blocks of samples.
//!
//! Bytes are fetched once for a row group, only those of the pages that hold wanted blocks; what
//! is decoded goes from the page into its packed form without arrays between. Row groups whose
//! pages cannot be read so, since another writer has made them, go through `general`.

use std::ops::Range;
use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::basic::{Encoding, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;
use schemas::tables::columns;
use storage::Segment;

use super::directory::Directory;
use super::general::RowBlocks;
use super::pages::{ABSENT, Column, Fetched, PageBuffers, Run};
use super::runs::{Given, Runs};
use crate::error::from_datafusion;
use crate::operators::{SeriesKey, power_of_ten};
use crate::output::BytesRead;
use crate::{Error, ErrorKind};

/// Bytes between two pages that are rather read than left out by another request.
const GAP_BYTES: u64 = 64 << 10;

/// Where segments are read from.
#[derive(Clone)]
pub(crate) struct Source {
    /// The lake.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// Footers that were read before.
    pub(crate) footers: Arc<FileMetadataCache>,
    /// Counts what is read.
    pub(crate) bytes_read: BytesRead,
}

/// The row groups of a segment: least and greatest metric of each.
#[derive(Debug)]
pub(super) struct Map {
    /// In order of rows.
    pub(super) metrics: Vec<(i64, i64)>,
}

impl Map {
    /// Memory it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.metrics.capacity() * size_of::<(i64, i64)>()
    }

    /// Whether a row group may hold any of these series, which ascend.
    pub(super) fn may_hold(&self, group: usize, wanted: &[SeriesKey]) -> bool {
        let (least, greatest) = self.metrics[group];
        let from = wanted.partition_point(|key| key.0 < least);
        wanted.get(from).is_some_and(|key| key.0 <= greatest)
    }
}

/// An open segment.
pub(super) struct Open {
    pub(super) source: Source,
    pub(super) path: Path,
    pub(super) length: u64,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl Open {
    /// Reads the footer, if it was not read before.
    pub(super) async fn new(source: &Source, segment: &Segment) -> Result<Self, Error> {
        let hint = usize::try_from(segment.footer_bytes).unwrap_or(0).max(8);
        let mut reader = reader(source, &segment.path, segment.bytes, Some(hint))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = reader.get_metadata(Some(&options)).await.map_err(from_parquet)?;
        let path = Path::from(segment.path.as_str());
        Ok(Self { source: source.clone(), path, length: segment.bytes, metadata })
    }

    /// Where metrics are.
    pub(super) fn map(&self) -> Result<Map, Error> {
        let range = |group: &RowGroupMetaData| {
            let column = position(group, columns::METRIC_ID)?;
            // Without statistics a row group may hold any.
            Ok(match group.column(column).statistics() {
                Some(Statistics::Int64(ids)) => (
                    ids.min_opt().copied().unwrap_or(i64::MIN),
                    ids.max_opt().copied().unwrap_or(i64::MAX),
                ),
                _ => (i64::MIN, i64::MAX),
            })
        };
        let metrics = self.metadata.row_groups().iter().map(range);
        Ok(Map { metrics: metrics.collect::<Result<_, Error>>()? })
    }

    /// Where series are in a row group.
    pub(super) async fn directory(&self, group: usize) -> Result<Directory, Error> {
        if !self.reads_pages(group) {
            return self.general_directory(group).await;
        }
        let of_group = self.metadata.row_group(group);
        let rows = rows_of(of_group)?;
        let all = 0..rows;
        let names = [columns::METRIC_ID, columns::SERIES_ID];
        let places = [position(of_group, names[0])?, position(of_group, names[1])?];
        let fetched = self.fetch(group, &places, std::slice::from_ref(&all)).await?;
        let mut found: [Vec<Run>; 2] = Default::default();
        let mut pages = PageBuffers::default();
        for (place, runs) in places.into_iter().zip(&mut found) {
            let mut column = self.column(group, place, &fetched)?;
            column.runs(all.clone(), &mut pages, runs).map_err(from_parquet)?;
        }
        let main = Filled::of(of_group)?;
        let main = main.mantissas.map_or(main.values, |places| Some(places[0]));
        let pages: Vec<u32> = match main {
            None => Vec::new(),
            Some(place) => self.pages(group, place)?.iter().map(first_row).collect(),
        };
        let [metrics, series] = found;
        self.ordered(Directory::new(&metrics, &series, &pages, rows))
    }

    /// A directory, or why there is none.
    pub(super) fn ordered(&self, directory: Option<Directory>) -> Result<Directory, Error> {
        directory.ok_or_else(|| {
            let message = format!("the rows of segment {} are not in order", self.path);
            Error::new(ErrorKind::Internal, message)
        })
    }

    /// Fetches what blocks of a row group are made of.
    pub(super) async fn blocks(
        &self,
        group: usize,
        directory: &Arc<Directory>,
        blocks: &[u32],
    ) -> Result<Blocks, Error> {
        if !self.reads_pages(group) {
            return self.general_blocks(group, directory, blocks).await.map(Blocks::Rows);
        }
        let of_group = self.metadata.row_group(group);
        let filled = Filled::of(of_group)?;
        let times = position(of_group, columns::TIME_MS)?;
        let places = [Some(times), filled.values].into_iter().flatten();
        let places: Vec<usize> = places.chain(filled.mantissas.into_iter().flatten()).collect();
        let rows: Vec<Range<u32>> = blocks.iter().map(|block| directory.rows(*block)).collect();
        let fetched = self.fetch(group, &places, &rows).await?;
        let column = |place| self.column(group, place, &fetched);
        let [mantissas, exponents] = match filled.mantissas {
            Some(places) => [Some(column(places[0])?), Some(column(places[1])?)],
            None => [None, None],
        };
        let blocks = PageBlocks {
            directory: Arc::clone(directory),
            fetched_bytes: fetched.parts.iter().map(|part| part.1.len()).sum(),
            times: column(times)?,
            values: filled.values.map(column).transpose()?,
            mantissas,
            exponents,
        };
        Ok(Blocks::Pages(Box::new(blocks)))
    }

    /// Whether the pages of a row group can be found and are encoded as they are here.
    fn reads_pages(&self, group: usize) -> bool {
        let of_group = self.metadata.row_group(group);
        let names = [
            (columns::METRIC_ID, Type::INT64),
            (columns::SERIES_ID, Type::INT64),
            (columns::TIME_MS, Type::INT64),
            (columns::VALUE, Type::DOUBLE),
            (columns::VALUE_MANTISSA, Type::INT64),
            (columns::VALUE_EXPONENT, Type::INT32),
        ];
        names.into_iter().all(|(name, physical)| {
            position(of_group, name).is_ok_and(|place| {
                let chunk = of_group.column(place);
                let descriptor = chunk.column_descr();
                chunk.column_type() == physical
                    && descriptor.max_rep_level() == 0
                    && descriptor.max_def_level() <= 1
                    && chunk.encodings().all(is_readable)
                    && self.pages(group, place).is_ok()
            })
        })
    }

    fn pages(&self, group: usize, column: usize) -> Result<&[PageLocation], Error> {
        let index = self.metadata.offset_index().and_then(|index| index.get(group)?.get(column));
        let pages = index.map(|index| index.page_locations().as_slice());
        pages.filter(|pages| !pages.is_empty()).ok_or_else(|| {
            let message = format!("segment {} has no index of its pages", self.path);
            Error::new(ErrorKind::Internal, message)
        })
    }

    fn column(&self, group: usize, place: usize, fetched: &Arc<Fetched>) -> Result<Column, Error> {
        let of_group = self.metadata.row_group(group);
        let pages = self.pages(group, place)?;
        Column::new(fetched, of_group.column(place), pages, rows_of(of_group)?)
            .map_err(from_parquet)
    }

    /// Reads the pages of some columns that hold any of the rows, and their dictionaries.
    async fn fetch(
        &self,
        group: usize,
        places: &[usize],
        rows: &[Range<u32>],
    ) -> Result<Arc<Fetched>, Error> {
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for place in places {
            let (begin, _) = self.metadata.row_group(group).column(*place).byte_range();
            let pages = self.pages(group, *place)?;
            let offset = |page: &PageLocation| u64::try_from(page.offset).unwrap_or(0);
            if begin < offset(&pages[0]) {
                wanted.push(begin..offset(&pages[0]));
            }
            for rows in rows {
                let from = pages.partition_point(|page| first_row(page) <= rows.start);
                let until = pages.partition_point(|page| first_row(page) < rows.end);
                wanted.extend(pages[from.saturating_sub(1)..until].iter().map(|page| {
                    let bytes = u64::try_from(page.compressed_page_size).unwrap_or(0);
                    offset(page)..offset(page) + bytes
                }));
            }
        }
        wanted.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in wanted {
            match joined.last_mut() {
                Some(last) if range.start <= last.end + GAP_BYTES => {
                    last.end = last.end.max(range.end);
                }
                _ => joined.push(range),
            }
        }
        self.source.bytes_read.add(joined.iter().map(|range| range.end - range.start).sum())?;
        let read = self.source.objects.get_ranges(&self.path, &joined).await;
        let read = read.map_err(|error| from_datafusion(DataFusionError::from(error)))?;
        let parts = joined.iter().map(|range| range.start).zip(read).collect();
        Ok(Arc::new(Fetched { parts, length: self.length }))
    }
}

/// Columns of a row group that hold anything.
struct Filled {
    values: Option<usize>,
    /// Of mantissas and of exponents.
    mantissas: Option<[usize; 2]>,
}

impl Filled {
    fn of(group: &RowGroupMetaData) -> Result<Self, Error> {
        let is_filled = |place: &usize| {
            let nulls = group.column(*place).statistics().and_then(Statistics::null_count_opt);
            nulls != u64::try_from(group.num_rows()).ok()
        };
        let values = Some(position(group, columns::VALUE)?).filter(is_filled);
        let mantissas = Some(position(group, columns::VALUE_MANTISSA)?).filter(is_filled);
        let exponents = position(group, columns::VALUE_EXPONENT)?;
        Ok(Self { values, mantissas: mantissas.map(|place| [place, exponents]) })
    }
}

/// Blocks of a row group that are in memory; they are decoded in order.
pub(super) enum Blocks {
    /// As pages.
    Pages(Box<PageBlocks>),
    /// As rows.
    Rows(RowBlocks),
}

impl Blocks {
    /// Memory of what was read, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Pages(blocks) => blocks.fetched_bytes,
            Self::Rows(blocks) => blocks.bytes(),
        }
    }

    /// Decodes and packs a block, which comes after those decoded before.
    pub(super) fn decode(&mut self, block: u32, buffers: &mut Buffers) -> Result<Runs, Error> {
        match self {
            Self::Pages(blocks) => blocks.decode(block, buffers),
            Self::Rows(blocks) => blocks.pack(block, &mut buffers.runs),
        }
    }
}

/// Blocks whose bytes are in memory.
pub(super) struct PageBlocks {
    directory: Arc<Directory>,
    fetched_bytes: usize,
    times: Column,
    values: Option<Column>,
    mantissas: Option<Column>,
    exponents: Option<Column>,
}

/// What blocks are decoded in, one after the other.
#[derive(Default)]
pub(super) struct Buffers {
    /// Of times, values and mantissas, where they are of several pages.
    joined: [Vec<i64>; 3],
    exponents: Vec<Run>,
    numbers: Vec<f64>,
    runs: Runs,
    /// Of the columns of times, values, mantissas and exponents.
    pages: [PageBuffers; 4],
}

impl Buffers {
    /// Memory that they hold, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let joined: usize = self.joined.iter().map(Vec::capacity).sum();
        let numbers = (joined + self.numbers.capacity()) * size_of::<i64>();
        let pages: usize = self.pages.iter().map(PageBuffers::bytes).sum();
        numbers + self.exponents.capacity() * size_of::<Run>() + self.runs.bytes() + pages
    }
}

impl PageBlocks {
    fn decode(&mut self, block: u32, buffers: &mut Buffers) -> Result<Runs, Error> {
        let rows = self.directory.rows(block);
        let Buffers { numbers, runs, pages, joined, exponents } = buffers;
        let [of_times, of_values, of_mantissas, of_exponents] = pages;
        let [times, values, mantissas] = joined;
        let times = self.times.numbers(rows.clone(), of_times, times).map_err(from_parquet)?;
        let values = read(&mut self.values, &rows, of_values, values)?;
        let mantissas = read(&mut self.mantissas, &rows, of_mantissas, mantissas)?;
        exponents.clear();
        if let Some(column) = &mut self.exponents {
            column.runs(rows.clone(), of_exponents, exponents).map_err(from_parquet)?;
        }
        let mut exponents = exponents.as_slice();
        for (key, of_series) in self.directory.series(rows.clone()) {
            let (from, until) = (of_series.start - rows.start, of_series.end - rows.start);
            let within = from as usize..until as usize;
            while let [(end, _), rest @ ..] = exponents
                && *end <= of_series.start
            {
                exponents = rest;
            }
            let given = match exponents {
                [(end, exponent), ..] if *end >= of_series.end && *exponent != ABSENT => {
                    Given::Decimals(&mantissas[within.clone()], scale(*exponent))
                }
                [(end, exponent), ..] if *end < of_series.end || *exponent != ABSENT => {
                    numbers.clear();
                    mix(of_series, rows.start, (values, mantissas, exponents), numbers);
                    Given::Numbers(numbers)
                }
                _ => {
                    numbers.clear();
                    let bits = values[within.clone()].iter();
                    numbers.extend(bits.map(|bits| f64::from_bits(*bits as u64)));
                    Given::Numbers(numbers)
                }
            };
            if !runs.push(key, &times[within], given) {
                return Err(too_wide());
            }
        }
        Ok(runs.take_packed())
    }
}

pub(super) fn too_wide() -> Error {
    let message = "a block of samples spans more time or rows than can be packed";
    Error::new(ErrorKind::Internal, message)
}

/// The values of some rows of a column; of one that holds nothing, values that nobody looks at.
fn read<'a>(
    column: &mut Option<Column>,
    rows: &Range<u32>,
    pages: &'a mut PageBuffers,
    joined: &'a mut Vec<i64>,
) -> Result<&'a [i64], Error> {
    match column {
        Some(column) => column.numbers(rows.clone(), pages, joined).map_err(from_parquet),
        None => {
            if joined.len() < rows.len() {
                joined.resize(rows.len(), 0);
            }
            Ok(joined)
        }
    }
}

/// The numbers of a series that has decimals of several exponents, or decimals and other numbers.
fn mix(
    rows: Range<u32>,
    first: u32,
    (values, mantissas, exponents): (&[i64], &[i64], &[Run]),
    to: &mut Vec<f64>,
) {
    let mut from = rows.start;
    for (end, exponent) in exponents {
        let until = rows.end.min(*end);
        let within = (from - first) as usize..(until - first) as usize;
        if *exponent == ABSENT {
            to.extend(values[within].iter().map(|bits| f64::from_bits(*bits as u64)));
        } else {
            let divisor = power_of_ten(scale(*exponent));
            to.extend(mantissas[within].iter().map(|mantissa| *mantissa as f64 / divisor));
        }
        from = until;
        if from == rows.end {
            break;
        }
    }
}

/// Exponents are stored as 32-bit integers.
fn scale(exponent: i64) -> i32 {
    i32::try_from(exponent).unwrap_or(0)
}

pub(super) fn rows_of(group: &RowGroupMetaData) -> Result<u32, Error> {
    u32::try_from(group.num_rows())
        .map_err(|_| Error::new(ErrorKind::Internal, "a row group of over 2^32 rows"))
}

fn first_row(page: &PageLocation) -> u32 {
    u32::try_from(page.first_row_index).unwrap_or(u32::MAX)
}

pub(super) fn position(group: &RowGroupMetaData, name: &str) -> Result<usize, Error> {
    let of_name = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        column.column_path().parts() == [name]
    };
    group.columns().iter().position(of_name).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("a segment of samples without column {name}"))
    })
}

/// A reader of a segment whose footer is cached.
pub(super) fn reader(
    source: &Source,
    path: &str,
    bytes: u64,
    footer_hint: Option<usize>,
) -> Result<Box<dyn AsyncFileReader>, Error> {
    let (objects, footers) = (Arc::clone(&source.objects), Arc::clone(&source.footers));
    let file = PartitionedFile::new(path, bytes);
    let reader = CachedParquetFileReaderFactory::new(objects, footers)
        .create_reader(0, file, footer_hint, &ExecutionPlanMetricsSet::new())
        .map_err(from_datafusion)?;
    Ok(reader)
}

/// Whether pages of an encoding are read here; levels are always run lengths.
fn is_readable(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::PLAIN
            | Encoding::RLE
            | Encoding::RLE_DICTIONARY
            | Encoding::PLAIN_DICTIONARY
            | Encoding::DELTA_BINARY_PACKED
    )
}

pub(super) fn from_parquet(error: ParquetError) -> Error {
    from_datafusion(DataFusionError::ParquetError(Box::new(error)))
}
