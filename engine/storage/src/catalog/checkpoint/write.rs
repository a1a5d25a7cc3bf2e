//! Writing a checkpoint: a few thousand actions at a time, so memory does not grow with the table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, StructArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use schemas::tables::columns;
use serde_json::Value;

use super::super::entry::{AddTexts, relative};
use super::{CHECKSUM_KEY, State};
use crate::{Error, ErrorKind};

/// Actions that are turned into columns at once.
const BATCH_ROWS: usize = 8192;
/// Actions of a row group.
const ROW_GROUP_ROWS: usize = 1 << 16;
/// zstd level: higher ones gain little on texts that are mostly digits.
const LEVEL: i32 = 1;

/// The object of a checkpoint.
pub(super) fn encode(state: &State) -> Result<Bytes, Error> {
    let schema = schema();
    let level = ZstdLevel::try_new(LEVEL).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("siglake".to_owned())
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(failed)?;
    let mut write = |name: &str, column: StructArray| {
        let batch = only(&schema, name, column).map_err(arrow)?;
        writer.write(&batch).map_err(failed)
    };
    write("protocol", protocol(&state.protocol).map_err(arrow)?)?;
    write("metaData", metadata(&state.metadata).map_err(arrow)?)?;
    for applied in state.applied.chunks(BATCH_ROWS) {
        let names = applied.iter().map(|(name, _)| name.as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            integers(applied.iter().map(|(_, applied)| signed(applied.version))),
            integers(applied.iter().map(|(_, applied)| applied.updated_ms)),
        ];
        write("txn", structs(txn_fields(), columns).map_err(arrow)?)?;
    }
    for removed in state.removed.chunks(BATCH_ROWS) {
        write("remove", removes(state, removed)?)?;
    }
    for live in state.live.chunks(BATCH_ROWS) {
        write("add", adds(state, live)?)?;
    }
    writer.flush().map_err(failed)?;
    // What is buffered, too, or the checksum would be that of a part.
    writer.sync().map_err(|error| failed(error.into()))?;
    let checksum = crc32c::crc32c(writer.inner());
    let entry = KeyValue::new(CHECKSUM_KEY.to_owned(), checksum.to_string());
    writer.append_key_value_metadata(entry);
    writer.into_inner().map(Bytes::from).map_err(failed)
}

fn adds(state: &State, live: &[Arc<crate::Segment>]) -> Result<StructArray, Error> {
    let mut paths = StringBuilder::new();
    let mut stats = StringBuilder::new();
    let mut partitions = map_builder();
    let mut tags = map_builder();
    for segment in live {
        let texts = AddTexts::of(state.table, segment)?;
        paths.append_value(texts.path);
        stats.append_value(&texts.stats);
        let values = [(columns::TENANT, texts.tenant), (columns::DATE, texts.date.as_str())];
        append(&mut partitions, values).map_err(arrow)?;
        let texts = texts.tags.iter().map(|(name, value)| (*name, value.as_str()));
        append(&mut tags, texts).map_err(arrow)?;
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(paths.finish()),
        Arc::new(partitions.finish()),
        integers(live.iter().map(|segment| signed(segment.bytes))),
        integers(live.iter().map(|segment| segment.created_ms)),
        // What a checkpoint holds has been told to whoever follows the table before.
        Arc::new(BooleanArray::from(vec![false; live.len()])),
        Arc::new(stats.finish()),
        Arc::new(tags.finish()),
    ];
    structs(add_fields(), columns).map_err(arrow)
}

fn removes(state: &State, removed: &[super::Removed]) -> Result<StructArray, Error> {
    let paths = removed.iter().map(|removed| relative(state.table, &removed.path));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let no = || Arc::new(BooleanArray::from(vec![false; removed.len()]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(paths)),
        integers(removed.iter().map(|removed| removed.removed_ms)),
        no(),
        no(),
        integers(removed.iter().map(|removed| signed(removed.bytes))),
    ];
    structs(remove_fields(), columns).map_err(arrow)
}

fn protocol(of: &Value) -> Result<StructArray, ArrowError> {
    let version = |name: &str| -> ArrayRef {
        let version = of.get(name).and_then(Value::as_i64).and_then(|of| i32::try_from(of).ok());
        Arc::new(Int32Array::from(vec![version]))
    };
    structs(protocol_fields(), vec![version("minReaderVersion"), version("minWriterVersion")])
}

fn metadata(of: &Value) -> Result<StructArray, ArrowError> {
    let text = |of: &Value, name: &str| -> ArrayRef {
        Arc::new(StringArray::from(vec![of.get(name).and_then(Value::as_str)]))
    };
    let map = |of: &Value, name: &str| -> Result<ArrayRef, ArrowError> {
        let entries = of.get(name).and_then(Value::as_object).into_iter().flatten();
        let mut builder = map_builder();
        append(&mut builder, entries.filter_map(|(key, value)| Some((&**key, value.as_str()?))))?;
        Ok(Arc::new(builder.finish()))
    };
    let format = of.get("format").cloned().unwrap_or_default();
    let format =
        structs(format_fields(), vec![text(&format, "provider"), map(&format, "options")?])?;
    let mut partitions = ListBuilder::new(StringBuilder::new()).with_field(element_field());
    let names = of.get("partitionColumns").and_then(Value::as_array).into_iter().flatten();
    for name in names.filter_map(Value::as_str) {
        partitions.values().append_value(name);
    }
    partitions.append(true);
    let created = of.get("createdTime").and_then(Value::as_i64);
    let columns: Vec<ArrayRef> = vec![
        text(of, "id"),
        text(of, "name"),
        text(of, "description"),
        Arc::new(format),
        text(of, "schemaString"),
        Arc::new(partitions.finish()),
        map(of, "configuration")?,
        Arc::new(Int64Array::from(vec![created])),
    ];
    structs(metadata_fields(), columns)
}

/// A batch of one kind of action: the columns of the others are null.
fn only(schema: &Arc<Schema>, name: &str, column: StructArray) -> Result<RecordBatch, ArrowError> {
    let rows = arrow::array::Array::len(&column);
    let column: ArrayRef = Arc::new(column);
    let columns = schema.fields().iter().map(|field| {
        if field.name() == name {
            Arc::clone(&column)
        } else {
            new_null_array(field.data_type(), rows)
        }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect())
}

fn schema() -> Arc<Schema> {
    let column = |name: &str, fields: Fields| Field::new(name, DataType::Struct(fields), true);
    Arc::new(Schema::new(vec![
        column("txn", txn_fields()),
        column("add", add_fields()),
        column("remove", remove_fields()),
        column("metaData", metadata_fields()),
        column("protocol", protocol_fields()),
    ]))
}

fn txn_fields() -> Fields {
    fields(&[
        ("appId", DataType::Utf8),
        ("version", DataType::Int64),
        ("lastUpdated", DataType::Int64),
    ])
}

fn add_fields() -> Fields {
    fields(&[
        ("path", DataType::Utf8),
        ("partitionValues", map_type()),
        ("size", DataType::Int64),
        ("modificationTime", DataType::Int64),
        ("dataChange", DataType::Boolean),
        ("stats", DataType::Utf8),
        ("tags", map_type()),
    ])
}

fn remove_fields() -> Fields {
    fields(&[
        ("path", DataType::Utf8),
        ("deletionTimestamp", DataType::Int64),
        ("dataChange", DataType::Boolean),
        ("extendedFileMetadata", DataType::Boolean),
        ("size", DataType::Int64),
    ])
}

fn metadata_fields() -> Fields {
    fields(&[
        ("id", DataType::Utf8),
        ("name", DataType::Utf8),
        ("description", DataType::Utf8),
        ("format", DataType::Struct(format_fields())),
        ("schemaString", DataType::Utf8),
        ("partitionColumns", DataType::List(element_field())),
        ("configuration", map_type()),
        ("createdTime", DataType::Int64),
    ])
}

fn format_fields() -> Fields {
    fields(&[("provider", DataType::Utf8), ("options", map_type())])
}

fn protocol_fields() -> Fields {
    fields(&[("minReaderVersion", DataType::Int32), ("minWriterVersion", DataType::Int32)])
}

fn element_field() -> FieldRef {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

fn map_type() -> DataType {
    let entry =
        [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)];
    let entry = DataType::Struct(Fields::from_iter(entry));
    DataType::Map(Arc::new(Field::new("key_value", entry, false)), false)
}

fn fields(of: &[(&str, DataType)]) -> Fields {
    of.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect()
}

type Maps = MapBuilder<StringBuilder, StringBuilder>;

fn map_builder() -> Maps {
    let names =
        MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

fn append<'a>(
    builder: &mut Maps,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), ArrowError> {
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    builder.append(true)
}

fn structs(fields: Fields, columns: Vec<ArrayRef>) -> Result<StructArray, ArrowError> {
    StructArray::try_new(fields, columns, None)
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// Delta has no unsigned numbers; no size or version of ours comes near the end of signed ones.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn arrow(error: ArrowError) -> Error {
    failed(error.into())
}

fn failed(error: parquet::errors::ParquetError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("no checkpoint can be made: {error}"), error)
}
