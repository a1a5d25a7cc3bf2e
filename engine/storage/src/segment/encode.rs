//! Encoding: which Parquet settings each column gets.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use schemas::tables::{Table, columns};

use super::keys;
use crate::{Error, ErrorKind};

/// False positives of the filters on trace ids: one in a hundred pages is read in vain.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;
/// zstd level of numbers that will be merged again; higher ones gain nothing.
const FRESH_NUMBERS_LEVEL: i32 = 1;
/// zstd level of numbers of a day: packed differences of counters lose another 3%, times a tenth.
const SETTLED_NUMBERS_LEVEL: i32 = 9;
/// zstd level of texts that will be merged again: JSON lines come out smaller at 1 than at 3 and 5
/// (44.8, 46.3 and 45.3 bytes of 280), for less than half of the time.
const FRESH_TEXTS_LEVEL: i32 = 1;
/// zstd level of texts of a day: 41.5 bytes of the same lines; level 12 takes twice the time for
/// another byte.
const SETTLED_TEXTS_LEVEL: i32 = 8;
/// Segments from this level on hold a whole day and are not expected to be merged again.
const SETTLED_LEVEL: u8 = 2;
/// Mean samples a series from which on differences are smaller than integers.
const LONG_RUN_ROWS: usize = 128;
/// Bytes of a data page: large ones compress log bodies a third better than small ones.
const PAGE_BYTES: usize = 1 << 20;
/// Rows of a page of samples of a day. Scrapes give many series the same times, which is found
/// only within a page: 0.14 bytes a sample with 20,000 rows, 0.10 with these. More would cost more
/// to decode for one series than is gained.
const SAMPLES_PAGE_ROWS: usize = 131_072;
/// Bytes of a page of mantissas, some 20,000: they have nothing to share.
const MANTISSAS_PAGE_BYTES: usize = 16 << 10;

/// Bytes of an encoded row group, at most: what a writer holds in memory, and what a reader of
/// one column of a remote object asks for at once.
pub(crate) const ROW_GROUP_BYTES_MAX: usize = 64 << 20;

/// How a segment is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coding {
    /// Rows of a row group, at most.
    pub(crate) row_group_rows: usize,
    /// Bytes of an encoded row group, at most, give or take a page.
    pub(crate) row_group_bytes: usize,
    /// How `value_mantissa` is written.
    pub(crate) mantissas: Encoding,
    /// zstd level of texts.
    texts_level: i32,
    /// zstd level of numbers.
    numbers_level: i32,
    /// Whether this is a segment of a whole day.
    settled: bool,
}

impl Coding {
    /// What suits rows such as these.
    pub(crate) fn new(table: Table, rows: &RecordBatch, row_group_rows: usize) -> Self {
        let series = match table {
            Table::MetricSamples => keys::integers(rows, columns::SERIES_ID)
                .map_or(0, |series| series.chunk_by(|a, b| a == b).count()),
            _ => 0,
        };
        Self::of_samples(rows.num_rows(), series, row_group_rows)
    }

    /// What suits so many samples of so many series.
    pub(crate) fn of_samples(rows: usize, series: usize, row_group_rows: usize) -> Self {
        Self {
            row_group_rows,
            row_group_bytes: ROW_GROUP_BYTES_MAX,
            mantissas: mantissa_encoding(rows, series),
            texts_level: FRESH_TEXTS_LEVEL,
            numbers_level: FRESH_NUMBERS_LEVEL,
            settled: false,
        }
    }

    /// The same for a segment of this level.
    pub(crate) fn for_level(mut self, level: u8) -> Self {
        if level >= SETTLED_LEVEL {
            self.texts_level = SETTLED_TEXTS_LEVEL;
            self.numbers_level = SETTLED_NUMBERS_LEVEL;
            self.settled = true;
        }
        self
    }
}

/// Differences are packed in blocks of 128 values, as wide as the widest of a few: with short
/// runs each block spans several series and the steps between them, and plain integers come out
/// a third smaller (24 samples a series: 1.76 against 2.64 bytes); with long runs differences win.
fn mantissa_encoding(rows: usize, series: usize) -> Encoding {
    if rows < series * LONG_RUN_ROWS { Encoding::PLAIN } else { Encoding::DELTA_BINARY_PACKED }
}

/// The settings of Parquet.
pub(super) fn properties(
    table: Table,
    schema: &Schema,
    coding: &Coding,
) -> Result<WriterProperties, ParquetError> {
    let numbers = Compression::ZSTD(ZstdLevel::try_new(coding.numbers_level)?);
    let texts = Compression::ZSTD(ZstdLevel::try_new(coding.texts_level)?);
    let mut sorting = Vec::new();
    for name in table.sort_key().columns {
        let at = schema.index_of(name).map_err(|error| ParquetError::General(error.to_string()))?;
        let column_idx = i32::try_from(at).unwrap_or(i32::MAX);
        sorting.push(SortingColumn { column_idx, descending: false, nulls_first: false });
    }
    let mut builder = WriterProperties::builder()
        .set_compression(numbers)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(Some(coding.row_group_rows))
        .set_max_row_group_bytes(Some(coding.row_group_bytes))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting))
        .set_created_by("siglake".to_owned());
    if coding.settled && table == Table::MetricSamples {
        builder = builder.set_data_page_row_count_limit(SAMPLES_PAGE_ROWS);
    }
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        builder = match field.data_type() {
            DataType::Utf8 => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                .set_column_compression(path, texts),
            DataType::Float64 => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::PLAIN),
            DataType::FixedSizeBinary(_) => {
                let builder = builder.set_column_dictionary_enabled(path.clone(), false);
                bloom(builder, table, field.name(), path)
            }
            DataType::Int64 if field.name() == columns::VALUE_MANTISSA => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_data_page_size_limit(path.clone(), MANTISSAS_PAGE_BYTES)
                .set_column_encoding(path, coding.mantissas),
            DataType::Int64 if is_gradual(field.name()) => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            _ => builder,
        };
    }
    Ok(builder.build())
}

/// Trace ids are looked for one by one, and their order helps nobody.
fn bloom(
    builder: WriterPropertiesBuilder,
    table: Table,
    name: &str,
    path: ColumnPath,
) -> WriterPropertiesBuilder {
    if name != columns::TRACE_ID || !matches!(table, Table::Logs | Table::Spans) {
        return builder.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    builder
        .set_column_bloom_filter_enabled(path.clone(), true)
        .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
        .set_column_statistics_enabled(path, EnabledStatistics::None)
}

/// Whether a column changes little from row to row.
///
/// Start times are not among them: those of counters are few, and in a dictionary they take 0.04
/// bytes a fresh sample and 0.01 of a merged one against 0.20 and 0.02 as differences. Those of
/// differences move on with each sample, and take 0.09 and 0.15 against 0.20 and 0.17.
fn is_gradual(name: &str) -> bool {
    matches!(
        name,
        columns::TIME_MS
            | columns::TIME_NS
            | columns::OBSERVED_TIME_NS
            | columns::START_NS
            | columns::DURATION_NS
    )
}

pub(super) fn failed(error: ParquetError) -> Error {
    // The last write tells its cause as text only, and fails for nothing but its sink.
    let is_of_sink = error.to_string().contains("fail to get inner writer");
    let otherwise = if is_of_sink { ErrorKind::Unavailable } else { ErrorKind::Internal };
    let kind = kind_of_cause(&error).unwrap_or(otherwise);
    Error::with_source(kind, format!("rows cannot be encoded: {error}"), error)
}

/// The kind of our own error that caused one of Parquet or Arrow; `None` if there is none.
pub(crate) fn kind_of_cause(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An input or output error does not name what it wraps as its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let ours = wrapped.and_then(|wrapped| wrapped.downcast_ref::<Error>());
        if let Some(ours) = ours.or_else(|| error.downcast_ref::<Error>()) {
            return Some(ours.kind());
        }
        cause = error.source();
    }
    None
}
