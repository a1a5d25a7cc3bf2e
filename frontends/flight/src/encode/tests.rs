//! Views, dictionaries and units.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int64Array, MapBuilder, RecordBatch, StringBuilder,
    StringViewArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};

use super::{plain_batch, plain_schema};

#[test]
fn columns_become_plain() {
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None]));
    let codes: DictionaryArray<Int32Type> = ["x", "y"].into_iter().collect();
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, 2]));
    let schema = Schema::new(vec![
        Field::new("text", DataType::Utf8View, true),
        Field::new("code", codes.data_type().clone(), false),
        Field::new("time", times.data_type().clone(), false),
    ]);
    let columns = vec![texts, Arc::new(codes), times];
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap();

    let plain = plain_batch(&batch, &plain_schema(&schema)).unwrap();

    let types: Vec<DataType> =
        plain.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let ns = DataType::Timestamp(TimeUnit::Nanosecond, None);
    assert_eq!(types, [DataType::Utf8, DataType::Utf8, ns]);
    assert_eq!(plain.num_rows(), 2);
}

#[test]
fn items_of_maps_become_plain() {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    builder.keys().append_value("k");
    builder.values().append_value("v");
    builder.append(true).unwrap();
    let plain_map = builder.finish();
    let DataType::Map(entries, sorted) = plain_map.data_type() else { unreachable!("a map") };
    let DataType::Struct(fields) = entries.data_type() else { unreachable!("a struct") };
    let view = |field: &Arc<Field>| field.as_ref().clone().with_data_type(DataType::Utf8View);
    let viewed = entries
        .as_ref()
        .clone()
        .with_data_type(DataType::Struct(fields.iter().map(view).collect()));
    let map_type = DataType::Map(Arc::new(viewed), *sorted);
    let column = arrow::compute::cast(&plain_map, &map_type).unwrap();
    let schema = Schema::new(vec![Field::new("labels", map_type, false)]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![column]).unwrap();

    let plain = plain_batch(&batch, &plain_schema(&schema)).unwrap();

    assert_eq!(plain.column(0).data_type(), plain_map.data_type());
}

#[test]
fn a_batch_without_columns_keeps_its_rows() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let rows: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_new(schema, vec![rows]).unwrap().project(&[]).unwrap();
    let plain = plain_batch(&batch, &plain_schema(&batch.schema())).unwrap();
    assert_eq!(plain.num_rows(), 3);
}
