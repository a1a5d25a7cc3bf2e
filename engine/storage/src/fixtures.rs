//! Rows for tests.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, MapBuilder, RecordBatch,
    StringArray, StringBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use schemas::model::{Label, Labels};
use schemas::tables::{Table, columns};

/// A batch of `table` from some of its columns; the others are null, zero or empty.
pub(crate) fn batch(table: Table, given: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema = table.schema();
    let rows = given[0].1.len();
    let columns = schema
        .fields()
        .iter()
        .map(|field| match given.iter().find(|(name, _)| name == field.name()) {
            Some((_, column)) => cast(column, field.data_type()).unwrap(),
            None if field.is_nullable() => new_null_array(field.data_type(), rows),
            None => default_column(field.data_type(), rows),
        })
        .collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

fn default_column(data_type: &DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::from(vec![0; rows])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![0.0; rows])),
        DataType::FixedSizeBinary(width) => Arc::new(
            FixedSizeBinaryArray::try_from_iter((0..rows).map(|row| id_bytes(row, *width)))
                .unwrap(),
        ),
        _ => cast(&StringArray::from(vec![""; rows]), data_type).unwrap(),
    }
}

fn id_bytes(row: usize, width: i32) -> Vec<u8> {
    let mut bytes = vec![0; width as usize];
    bytes[..8].copy_from_slice(&(row as u64).to_le_bytes());
    bytes
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| Label::new(*name, *value)).collect()
}

fn map_column(rows: &[Labels]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for labels in rows {
        for label in labels {
            builder.keys().append_value(&label.name);
            builder.values().append_value(&label.value);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}

fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Rows of `metric_series`: id, labels and time of each.
pub(crate) fn series(rows: &[(i64, Labels, i64)]) -> RecordBatch {
    let all: Vec<Labels> = rows.iter().map(|row| row.1.clone()).collect();
    batch(
        Table::MetricSeries,
        vec![
            (columns::SERIES_ID, integers(rows.iter().map(|row| row.0))),
            (columns::TIME_MS, integers(rows.iter().map(|row| row.2))),
            (columns::METRIC_NAME, texts(all.iter().map(|labels| labels.value("__name__")))),
            (columns::LABELS, map_column(&all)),
            (columns::TYPE, texts(rows.iter().map(|_| "gauge"))),
        ],
    )
}

/// Rows of `log_streams`: id, labels, time in nanoseconds and resource attributes of each.
pub(crate) fn streams(rows: &[(i64, Labels, i64, &str)]) -> RecordBatch {
    let all: Vec<Labels> = rows.iter().map(|row| row.1.clone()).collect();
    batch(
        Table::LogStreams,
        vec![
            (columns::STREAM_ID, integers(rows.iter().map(|row| row.0))),
            (columns::TIME_NS, integers(rows.iter().map(|row| row.2))),
            (columns::LABELS, map_column(&all)),
            (columns::SERVICE, texts(rows.iter().map(|_| "shop"))),
            (columns::RESOURCE_ATTRIBUTES, texts(rows.iter().map(|row| row.3))),
            ("resource.host.name", texts(rows.iter().map(|_| "h1"))),
        ],
    )
}

/// Rows of `metric_samples`: series id, time and value of each.
pub(crate) fn samples(rows: &[(i64, i64, f64)]) -> RecordBatch {
    batch(
        Table::MetricSamples,
        vec![
            (columns::SERIES_ID, integers(rows.iter().map(|row| row.0))),
            (columns::TIME_MS, integers(rows.iter().map(|row| row.1))),
            (
                columns::VALUE,
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
            ),
        ],
    )
}

/// Rows of `logs`: stream id, time in nanoseconds and body of each.
pub(crate) fn logs(rows: &[(i64, i64, &str)]) -> RecordBatch {
    batch(
        Table::Logs,
        vec![
            (columns::STREAM_ID, integers(rows.iter().map(|row| row.0))),
            (columns::TIME_NS, integers(rows.iter().map(|row| row.1))),
            (columns::BODY, texts(rows.iter().map(|row| row.2))),
            (columns::SEVERITY_TEXT, texts(rows.iter().map(|_| "INFO"))),
        ],
    )
}
