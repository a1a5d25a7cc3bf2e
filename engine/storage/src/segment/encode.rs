//! Encoding: which Parquet settings each column gets.

use arrow::datatypes::DataType;
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
/// zstd level of texts.
const TEXTS_LEVEL: i32 = 3;
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
    let properties = properties(table, row_group_rows).map_err(failed)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties)).map_err(failed)?;
    writer.write(rows).map_err(failed)?;
    let bytes = writer.into_inner().map_err(failed)?;
    let tail = bytes.len().saturating_sub(TAIL_BYTES);
    let length = bytes.get(tail..tail + 4).and_then(|length| length.try_into().ok());
    let metadata_bytes = length.map(u32::from_le_bytes).unwrap_or_default();
    Ok((Bytes::from(bytes), u64::from(metadata_bytes) + TAIL_BYTES as u64))
}

fn properties(table: Table, row_group_rows: usize) -> Result<WriterProperties, ParquetError> {
    let schema = table.schema();
    let numbers = Compression::ZSTD(ZstdLevel::try_new(NUMBERS_LEVEL)?);
    let texts = Compression::ZSTD(ZstdLevel::try_new(TEXTS_LEVEL)?);
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
                .set_column_compression(path, texts),
            DataType::Float64 => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::PLAIN),
            DataType::FixedSizeBinary(_) => {
                let builder = builder.set_column_dictionary_enabled(path.clone(), false);
                bloom(builder, table, field.name(), path)
            }
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
fn is_gradual(name: &str) -> bool {
    matches!(
        name,
        columns::TIME_MS
            | columns::TIME_NS
            | columns::OBSERVED_TIME_NS
            | columns::START_NS
            | columns::DURATION_NS
            | columns::VALUE_MANTISSA
    )
}

fn failed(error: ParquetError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("rows cannot be encoded: {error}"), error)
}
