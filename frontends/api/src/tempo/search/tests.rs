//! Search results from hand-made batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Fields};

use super::*;
use crate::testing::text_of;

fn ids(width: i32, ids: &[u8]) -> ArrayRef {
    let ids = ids.iter().map(|id| Some(vec![*id; width as usize]));
    Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, width).unwrap())
}

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn longs(numbers: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.to_vec()))
}

fn list(lengths: &[usize], columns: &[(&str, ArrayRef)]) -> ArrayRef {
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let fields: Fields = columns.iter().map(field).collect();
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    let structs = StructArray::new(fields.clone(), arrays, None);
    let item = Arc::new(Field::new_list_field(arrow::datatypes::DataType::Struct(fields), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::new(item, offsets, Arc::new(structs), None))
}

fn traces() -> RecordBatch {
    let spans = list(
        &[2, 0],
        &[
            ("span_id", ids(8, &[1, 2])),
            ("name", texts(&[Some("GET /"), Some("")])),
            ("start_time_unix_nano", longs(&[10, 20])),
            ("duration_nano", longs(&[5_000_000, 0])),
            ("attributes", texts(&[Some(r#"{"status":"error","nestedSetLeft":1}"#), None])),
        ],
    );
    let services = list(
        &[2, 0],
        &[
            ("service_name", texts(&[Some("a"), Some("b")])),
            ("spans", longs(&[3, 1])),
            ("errors", longs(&[0, 1])),
        ],
    );
    RecordBatch::try_from_iter_with_nullable([
        ("trace_id", ids(16, &[0xab, 0x01]), true),
        ("root_service_name", texts(&[Some("a"), None]), true),
        ("root_name", texts(&[Some("GET /"), None]), true),
        ("start_time_unix_nano", longs(&[10, 9]), true),
        ("duration_nano", longs(&[7_900_000, 1]), true),
        ("matched", longs(&[2, 0]), true),
        ("spans", spans, true),
        ("services", services, true),
    ])
    .unwrap()
}

#[test]
fn traces_have_the_documented_keys_and_no_others() {
    let spanset = concat!(
        r#"{"spans":[{"spanID":"0101010101010101","name":"GET /","startTimeUnixNano":"10","#,
        r#""durationNanos":"5000000","attributes":["#,
        r#"{"key":"status","value":{"stringValue":"error"}},"#,
        r#"{"key":"nestedSetLeft","value":{"intValue":"1"}}]}],"matched":2}"#
    );
    let empty = r#"{"spans":[],"matched":0}"#;
    let expected = format!(
        concat!(
            r#"{{"traces":[{{"traceID":"abababababababababababababababab","rootServiceName":"a","#,
            r#""rootTraceName":"GET /","startTimeUnixNano":"10","durationMs":7,"#,
            r#""spanSet":{spanset},"spanSets":[{spanset}],"#,
            r#""serviceStats":{{"a":{{"spanCount":3}},"b":{{"spanCount":1,"errorCount":1}}}}}},"#,
            r#"{{"traceID":"01010101010101010101010101010101","#,
            r#""rootServiceName":"<root span not yet received>","startTimeUnixNano":"9","#,
            r#""spanSet":{empty},"spanSets":[{empty}],"serviceStats":{{}}}}],"#,
            r#""metrics":{{"inspectedBytes":"0","completedJobs":1,"totalJobs":1}}}}"#,
        ),
        spanset = spanset,
        empty = empty
    );
    assert_eq!(text_of(&mut Traces::new(1), &[traces()], &[]), expected);
}

#[test]
fn several_batches_make_one_list() {
    let text = text_of(&mut Traces::new(3), &[traces(), traces().slice(0, 0), traces()], &[]);
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(tree["traces"].as_array().unwrap().len(), 4);
    assert_eq!(tree["traces"][2]["spanSets"][0]["spans"].as_array().unwrap().len(), 2);
    assert_eq!(text_of(&mut Traces::new(3), &[], &[]).find("[]"), Some(10));
}
