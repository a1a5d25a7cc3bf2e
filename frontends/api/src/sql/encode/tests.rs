//! Tables in every format.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::ipc::reader::StreamReader;
use tokio::time::Instant;

use super::*;

fn rows() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a,\"b\"", "ü"]));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("t", texts, false)]).unwrap()
}

fn written(mut encoder: impl Encode<Buffer = Vec<u8>>, batches: &[RecordBatch]) -> Vec<u8> {
    let mut all = Vec::new();
    encoder.open(&mut all);
    for batch in batches {
        let mut part = Vec::new();
        encoder.rows(batch, &mut part).unwrap();
        all.extend(part);
    }
    let end = End {
        stats: Arc::default(),
        warnings: Vec::new(),
        infos: Vec::new(),
        started: Instant::now(),
    };
    encoder.close(&end, &mut all);
    all
}

#[test]
fn json_is_one_array() {
    let text = written(Json::new(9), &[rows(), rows().slice(1, 0), rows().slice(1, 1)]);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        r#"[{"n":1,"t":"a,\"b\""},{"n":null,"t":"ü"},{"n":null,"t":"ü"}]"#
    );
    assert_eq!(written(Json::new(9), &[]), b"[]");
}

#[test]
fn csv_has_one_header() {
    let schema = rows().schema();
    let text = written(Csv::new(Arc::clone(&schema), 9), &[rows(), rows().slice(1, 1)]);
    assert_eq!(String::from_utf8(text).unwrap(), "n,t\n1,\"a,\"\"b\"\"\"\n,ü\n,ü\n");
    assert_eq!(written(Csv::new(schema, 9), &[]), b"n,t\n");
}

#[test]
fn arrow_streams_can_be_read_back() {
    let schema = rows().schema();
    let bytes = written(ArrowStream::new(&schema).unwrap(), &[rows()]);
    let read: Vec<RecordBatch> =
        StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, [rows()]);
}

#[test]
fn rows_over_the_limit_are_refused() {
    let mut json = Json::new(3);
    let mut out = Vec::new();
    json.rows(&rows(), &mut out).unwrap();
    let error = json.rows(&rows(), &mut out).unwrap_err();
    assert_eq!(error.to_string(), "the answer has over 3 rows, the limit");
}
