//! Spans back to OTLP.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array, StringArray, new_null_array,
};
use arrow::array::{ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use schemas::tables::Table;

use super::*;

/// A batch of spans: the columns given, all others null or zero.
fn spans(rows: usize, given: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema = Table::Spans.schema();
    let columns = schema.fields().iter().map(|field| {
        let name = field.name().as_str();
        let array = match given.iter().find(|(given, _)| *given == name) {
            Some((_, array)) => Arc::clone(array),
            None => match field.data_type() {
                DataType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
                DataType::Dictionary(..) => new_null_array(&DataType::Utf8, rows),
                data_type => new_null_array(data_type, rows),
            },
        };
        (name, array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

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

fn three_spans() -> RecordBatch {
    spans(
        3,
        vec![
            ("trace_id", ids(16, &[7, 7, 7])),
            ("span_id", ids(8, &[1, 2, 3])),
            ("start_time_unix_nano", longs(&[30, 10, 20])),
            ("duration_nano", longs(&[5, 50, 1])),
            ("service_name", texts(&[Some("a"), Some("b"), Some("a")])),
            ("name", texts(&[Some("x"), Some("y"), Some("z")])),
            ("resource.host.name", texts(&[Some("h"), None, Some("h")])),
            ("resource_attributes", texts(&[Some(r#"{"k":1}"#), None, Some(r#"{"k":1}"#)])),
            ("scope_name", texts(&[Some("lib"), None, Some("lib")])),
            ("attributes", texts(&[Some(r#"{"f":1.0}"#), None, None])),
            (
                "span.http.response.status_code",
                Arc::new(Int64Array::from(vec![Some(200), None, None])),
            ),
        ],
    )
}

#[test]
fn spans_are_grouped_and_sorted() {
    let mut trace = Assembler::new(1 << 20);
    trace.add(&three_spans()).unwrap();
    let resources = trace.finish();
    assert_eq!(resources.len(), 2);
    let a = resources[0].resource.as_ref().unwrap();
    assert_eq!(
        a.attributes,
        [
            attributes::text("service.name", "a"),
            attributes::text("host.name", "h"),
            attributes::integer("k", 1),
        ]
    );
    let [scope] = resources[0].scope_spans.as_slice() else { panic!("one scope") };
    assert_eq!(scope.scope.as_ref().unwrap().name, "lib");
    let names: Vec<&str> = scope.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["z", "x"]);
    let x = &scope.spans[1];
    assert_eq!((x.start_time_unix_nano, x.end_time_unix_nano), (30, 35));
    assert_eq!(x.trace_id, [7; 16]);
    assert!(x.parent_span_id.is_empty());
    assert_eq!(x.status, Some(Status::default()));
    let keys: Vec<&str> = x.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["http.response.status_code", "f"]);
    assert!(resources[1].scope_spans[0].scope.is_some());
}

#[test]
fn an_absent_service_is_not_invented() {
    let mut given = vec![
        ("trace_id", ids(16, &[1, 1, 1])),
        ("span_id", ids(8, &[1, 2, 3])),
        ("start_time_unix_nano", longs(&[1, 2, 3])),
        ("duration_nano", longs(&[0, 0, 0])),
        ("service_name", texts(&[Some("unknown_service"); 3])),
        ("name", texts(&[Some("n"); 3])),
    ];
    given.push((
        "resource_attributes",
        texts(&[Some(r#"{"k":"v"}"#), Some(r#"{"service.name":5}"#), None]),
    ));
    let mut trace = Assembler::new(1 << 20);
    trace.add(&spans(3, given)).unwrap();
    let resources = trace.finish();
    let of = |at: usize| &resources[at].resource.as_ref().unwrap().attributes;
    assert_eq!(*of(0), [attributes::text("k", "v")]);
    assert_eq!(*of(1), [attributes::integer("service.name", 5)]);
    // Without any attribute Grafana would drop the span.
    assert_eq!(*of(2), [attributes::text("service.name", "unknown_service")]);
}

#[test]
fn events_come_with_their_attributes() {
    let DataType::List(item) =
        Table::Spans.schema().field_with_name("events").unwrap().data_type().clone()
    else {
        panic!("a list")
    };
    let DataType::Struct(fields) = item.data_type().clone() else { panic!("structs") };
    let events = StructArray::new(
        fields,
        vec![
            longs(&[5, 6]),
            texts(&[Some("e"), Some("f")]),
            texts(&[Some(r#"{"a":"b"}"#), None]),
            Arc::new(Int32Array::from(vec![0, 2])),
        ],
        None,
    );
    let events =
        ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 0]), Arc::new(events), None);
    let batch = three_spans();
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of("events").unwrap()] = Arc::new(events);
    let batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
    let mut trace = Assembler::new(1 << 20);
    trace.add(&batch).unwrap();
    let resources = trace.finish();
    let x = &resources[0].scope_spans[0].spans[1];
    assert_eq!(x.events.len(), 2);
    assert_eq!(x.events[0].attributes, [attributes::text("a", "b")]);
    assert_eq!((x.events[1].time_unix_nano, x.events[1].dropped_attributes_count), (6, 2));
}

#[test]
fn a_trace_over_the_limit_is_refused() {
    let mut trace = Assembler::new(10);
    let error = trace.add(&three_spans()).unwrap_err();
    assert_eq!(error.to_string(), "trace exceeds the limit of 10 bytes");
}
