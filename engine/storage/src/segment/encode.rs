//! Encoding: which Parquet settings each column gets.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use schemas::tables::{Table, columns};

use crate::{Error, ErrorKind};

/// False positives of the filters on trace ids: one in a hundred pages is read in vain.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;
/// zstd level of numbers; higher ones gain nothing.
const NUMBERS_LEVEL: i32 = 1;
/// zstd level of log bodies: 4 % smaller than level 3, for a CPU-second a million lines.
const BODIES_LEVEL: i32 = 5;
/// zstd level of all other texts: objects of attributes come out smaller at 1 than at 3 and 5.
const TEXTS_LEVEL: i32 = 1;
/// Mean samples a series from which on differences are smaller than integers.
const LONG_RUN_ROWS: usize = 128;
/// Bytes of a data page: large ones compress log bodies a third better than small ones.
const PAGE_BYTES: usize = 1 << 20;
/// Bytes at the end of a Parquet file that hold the length of its metadata and the magic.
const TAIL_BYTES: usize = 8;

/// The object, and the length of its footer with its tail.
pub(super) fn parquet(
    table: Table,
    rows: &RecordBatch,
    row_group_rows: usize,
) -> Result<(Bytes, u64), Error> {
    let mantissas = mantissa_encoding(table, rows);
    let properties = properties(table, row_group_rows, mantissas).map_err(failed)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties)).map_err(failed)?;
    writer.write(rows).map_err(failed)?;
    let bytes = writer.into_inner().map_err(failed)?;
    let tail = bytes.len().saturating_sub(TAIL_BYTES);
    let length = bytes.get(tail..tail + 4).and_then(|length| length.try_into().ok());
    let metadata_bytes = length.map(u32::from_le_bytes).unwrap_or_default();
    Ok((Bytes::from(bytes), u64::from(metadata_bytes) + TAIL_BYTES as u64))
}

/// Differences are packed in blocks of 128 values, as wide as the widest of a few: with short
/// runs each block spans several series and the steps between them, and plain integers come out
/// a third smaller (24 samples a series: 1.76 against 2.64 bytes); with long runs differences win.
fn mantissa_encoding(table: Table, rows: &RecordBatch) -> Encoding {
    let series = rows
        .column_by_name(columns::SERIES_ID)
        .filter(|_| table == Table::MetricSamples)
        .and_then(|column| column.as_primitive_opt::<Int64Type>());
    let runs = series.map_or(0, |series| series.values().chunk_by(|a, b| a == b).count());
    if rows.num_rows() < runs * LONG_RUN_ROWS {
        Encoding::PLAIN
    } else {
        Encoding::DELTA_BINARY_PACKED
    }
}

fn properties(
    table: Table,
    row_group_rows: usize,
    mantissas: Encoding,
) -> Result<WriterProperties, ParquetError> {
    let schema = table.schema();
    let numbers = Compression::ZSTD(ZstdLevel::try_new(NUMBERS_LEVEL)?);
    let texts = Compression::ZSTD(ZstdLevel::try_new(TEXTS_LEVEL)?);
    let bodies = Compression::ZSTD(ZstdLevel::try_new(BODIES_LEVEL)?);
    let mut sorting = Vec::new();
    for name in table.sort_key().columns {
        let at = schema.index_of(name).map_err(|error| ParquetError::General(error.to_string()))?;
        let column_idx = i32::try_from(at).unwrap_or(i32::MAX);
        sorting.push(SortingColumn { column_idx, descending: false, nulls_first: false });
    }
    let mut builder = WriterProperties::builder()
        .set_compression(numbers)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting))
        .set_created_by("siglake".to_owned());
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        builder = match field.data_type() {
            DataType::Utf8 => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                .set_column_compression(path, if is_body(field.name()) { bodies } else { texts }),
            DataType::Float64 => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::PLAIN),
            DataType::FixedSizeBinary(_) => {
                let builder = builder.set_column_dictionary_enabled(path.clone(), false);
                bloom(builder, table, field.name(), path)
            }
            DataType::Int64 if field.name() == columns::VALUE_MANTISSA => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, mantissas),
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

fn is_body(name: &str) -> bool {
    name == columns::BODY
}

/// Whether a column changes little from row to row.
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

fn failed(error: ParquetError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("rows cannot be encoded: {error}"), error)
}
