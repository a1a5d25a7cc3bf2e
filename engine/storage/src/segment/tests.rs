//! Segments read back as they were written, sorted.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, Int64Array, ListBuilder, StringArray,
    StringBuilder, StructBuilder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Encoding;
use parquet::file::metadata::ParquetMetaData;
use schemas::tables::columns;

use super::*;
use crate::fixtures::{batch, labels, logs, samples, series};

const DAY_MS: i64 = 86_400_000;

fn origin(table: Table) -> Origin {
    Origin {
        table,
        tenant: "a/b".into(),
        sequences: (3, 9),
        writer: "w".into(),
        deletes_applied: 0,
    }
}

fn read(encoded: &Encoded) -> (RecordBatch, Arc<ParquetMetaData>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(encoded.bytes.clone()).unwrap();
    let (schema, metadata) = (Arc::clone(reader.schema()), Arc::clone(reader.metadata()));
    let batches: Vec<_> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
    (concat_batches(&schema, &batches).unwrap(), metadata)
}

fn integers(rows: &RecordBatch, name: &str) -> Vec<i64> {
    rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn samples_are_sorted_and_split_by_day() {
    let first = samples(&[(2, 50, 1.5), (1, DAY_MS, 2.5), (1, 70, 3.5), (1, -1, 0.0)]);
    let second = samples(&[(1, 60, 4.5), (2, 50, f64::NAN)]);
    let encoded = encode(
        &origin(Table::MetricSamples),
        &[first, second],
        TableLayout::starting(Table::MetricSamples),
        2,
    )
    .unwrap();
    let days: Vec<_> = encoded.iter().map(|encoded| encoded.segment.day).collect();
    assert_eq!(days, [-1, 0, 1]);
    let segment = &encoded[1].segment;
    assert_eq!(
        segment.path,
        "metric_samples/tenant=a.2Fb/date=1970-01-01/0-000000000003-000000000009-w.parquet"
    );
    assert_eq!(
        (segment.rows, segment.min_time_ns, segment.max_time_ns),
        (4, 50_000_000, 70_000_000)
    );
    assert_eq!(segment.key_ranges, [(0, 0), (1, 2), (50, 70)]);
    let (rows, metadata) = read(&encoded[1]);
    assert_eq!(integers(&rows, columns::SERIES_ID), [1, 1, 2, 2]);
    assert_eq!(integers(&rows, columns::TIME_MS), [60, 70, 50, 50]);
    assert_eq!(metadata.num_row_groups(), 2);
    let bytes = &encoded[1].bytes;
    let footer = &bytes[bytes.len() - segment.footer_bytes as usize..];
    assert_eq!(
        footer.len() - 8,
        u32::from_le_bytes(*footer[footer.len() - 8..].first_chunk().unwrap()) as usize
    );
}

#[test]
fn times_are_delta_encoded_and_the_order_is_declared() {
    let rows: Vec<_> = (0..1000).map(|at| (at % 10, at * 15_000, 0.1)).collect();
    let encoded = encode(
        &origin(Table::MetricSamples),
        &[samples(&rows)],
        TableLayout::starting(Table::MetricSamples),
        1 << 20,
    )
    .unwrap();
    let (_, metadata) = read(&encoded[0]);
    let group = metadata.row_group(0);
    let column = |name: &str| {
        let columns = group.columns().iter();
        columns.clone().find(|column| column.column_path().string() == name).unwrap()
    };
    let time = column(columns::TIME_MS);
    assert!(time.encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED));
    assert!(time.dictionary_page_offset().is_none());
    assert!(column(columns::SERIES_ID).dictionary_page_offset().is_some());
    let sorting: Vec<_> = group.sorting_columns().unwrap().iter().map(|by| by.column_idx).collect();
    assert_eq!(sorting, [0, 1, 2]);
}

#[test]
fn rows_of_one_series_and_day_become_one() {
    let up = labels(&[("__name__", "up")]);
    let rows =
        series(&[(2, up.clone(), 5), (1, up.clone(), 5), (2, up.clone(), 6), (2, up, DAY_MS)]);
    let encoded = encode(
        &origin(Table::MetricSeries),
        &[rows],
        TableLayout::starting(Table::MetricSeries),
        1 << 20,
    )
    .unwrap();
    let ids = |at: usize| integers(&read(&encoded[at]).0, columns::SERIES_ID);
    assert_eq!((ids(0), ids(1)), (vec![1, 2], vec![2]));
    let (rows, _) = read(&encoded[0]);
    assert_eq!(rows.schema().fields(), Table::MetricSeries.schema().fields());
    assert_eq!(integers(&rows, columns::TIME_MS), [5, 5], "the first one stays");
}

#[test]
fn logs_keep_every_column_and_filter_trace_ids() {
    let rows = logs(&[(1, 7, "b"), (0, 9, "c"), (1, 6, "a")]);
    let trace_ids: ArrayRef = Arc::new(
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            [Some([1_u8; 16]), None, Some([2; 16])].into_iter(),
            16,
        )
        .unwrap(),
    );
    let mut all = rows.columns().to_vec();
    all[rows.schema().index_of(columns::TRACE_ID).unwrap()] = trace_ids;
    let rows = RecordBatch::try_new(rows.schema(), all).unwrap();
    let encoded = encode(
        &origin(Table::Logs),
        std::slice::from_ref(&rows),
        TableLayout::starting(Table::Logs),
        1 << 20,
    )
    .unwrap();
    let (found, metadata) = read(&encoded[0]);
    let order = arrow::array::UInt32Array::from(vec![1, 2, 0]);
    let expected = arrow::compute::take_record_batch(&rows, &order).unwrap();
    assert_eq!(found.schema().fields(), expected.schema().fields());
    let texts = |rows: &RecordBatch| -> Vec<ArrayRef> {
        let plain = |column: &ArrayRef| match column.data_type() {
            DataType::Dictionary(..) => arrow::compute::cast(column, &DataType::Utf8).unwrap(),
            _ => Arc::clone(column),
        };
        rows.columns().iter().map(plain).collect()
    };
    assert_eq!(texts(&found), texts(&expected));
    let blooms: Vec<String> = metadata
        .row_group(0)
        .columns()
        .iter()
        .filter(|column| column.bloom_filter_offset().is_some())
        .map(|column| column.column_path().string())
        .collect();
    assert_eq!(blooms, [columns::TRACE_ID]);
}

#[test]
fn spans_keep_their_lists_of_structs() {
    let DataType::List(item) =
        Table::Spans.schema().field_with_name(columns::EVENTS).unwrap().data_type().clone()
    else {
        panic!("events are a list");
    };
    let DataType::Struct(fields) = item.data_type().clone() else { panic!("of structs") };
    let mut events = ListBuilder::new(StructBuilder::from_fields(fields, 4)).with_field(item);
    for row in 0..4_i64 {
        for event in 0..row {
            let of = events.values();
            of.field_builder::<arrow::array::Int64Builder>(0).unwrap().append_value(event);
            of.field_builder::<StringBuilder>(1).unwrap().append_value("e");
            of.field_builder::<StringBuilder>(2).unwrap().append_null();
            of.field_builder::<arrow::array::Int32Builder>(3).unwrap().append_value(0);
            of.append(true);
        }
        events.append(row > 0);
    }
    let rows = batch(
        Table::Spans,
        vec![
            (columns::START_NS, Arc::new(Int64Array::from(vec![40, 30, 20, 10])) as ArrayRef),
            (columns::EVENTS, Arc::new(events.finish())),
            (columns::KIND, Arc::new(Int32Array::from(vec![0, 1, 2, 3]))),
            (columns::SERVICE, Arc::new(StringArray::from(vec!["a", "b", "a", "c"]))),
        ],
    );
    let encoded =
        encode(&origin(Table::Spans), &[rows], TableLayout::starting(Table::Spans), 1 << 20)
            .unwrap();
    let (found, _) = read(&encoded[0]);
    assert_eq!(found.schema().fields(), Table::Spans.schema().fields());
    assert_eq!(integers(&found, columns::START_NS), [10, 20, 30, 40]);
    let events = found.column_by_name(columns::EVENTS).unwrap().as_list::<i32>();
    let lengths: Vec<_> = events.iter().map(|events| events.map(|events| events.len())).collect();
    assert_eq!(lengths, [Some(3), Some(2), Some(1), None]);
}

#[test]
fn names_of_tenants_become_plain_folders() {
    assert_eq!(escape("a-B_9"), "a-B_9");
    assert_eq!(escape("../é"), ".2E.2E.2F.C3.A9");
    assert!(check_tenant("").is_err());
    assert!(check_tenant(&"x".repeat(200)).is_ok());
    assert!(check_tenant(&"/".repeat(70)).is_err());
}
