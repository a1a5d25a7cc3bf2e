//! Prometheus' JSON from hand-made batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use exec::OutputKind;
use schemas::model::StepGrid;

use super::{Envelope, Form, Names, Results};
use crate::testing::{labels, text_of, text_with, tiles};

const GRID: StepGrid = StepGrid { start_ns: 1_500_000_000, step_ns: 500_000_000, steps: 3 };

fn series() -> RecordBatch {
    let labels = labels(&[&[("__name__", "up"), ("job", "a\"b")], &[], &[("job", "none")]]);
    let values = tiles(&[
        &[Some(1.0), None, Some(f64::INFINITY)],
        &[Some(1e-7), Some(f64::NAN), Some(-0.5)],
        &[None, None, None],
    ]);
    RecordBatch::try_from_iter_with_nullable([("labels", labels, true), ("values", values, true)])
        .unwrap()
}

fn written(kind: OutputKind, form: Form, limit: Option<usize>, batches: &[RecordBatch]) -> String {
    let envelope = Envelope { limit, with_stats: false, warning: None };
    let grid = if form == Form::Instant { StepGrid::instant(1_500_000_000) } else { GRID };
    text_of(&mut Results::new(&kind, form, grid, envelope).unwrap(), batches, &[])
}

#[test]
fn a_matrix_leaves_out_missing_values_and_empty_series() {
    let kind = OutputKind::Series { grid: GRID };
    assert_eq!(
        written(kind, Form::Range, None, &[series()]),
        concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":["#,
            r#"{"metric":{"__name__":"up","job":"a\"b"},"values":[[1.500,"1"],[2.500,"+Inf"]]},"#,
            r#"{"metric":{},"values":[[1.500,"1e-07"],[2,"NaN"],[2.500,"-0.5"]]}"#,
            r#"]}}"#
        )
    );
}

#[test]
fn rows_of_several_batches_are_separated() {
    let kind = OutputKind::Series { grid: GRID };
    let text = written(kind, Form::Range, None, &[series(), series().slice(2, 1), series()]);
    assert_eq!(text.matches("},{").count(), 3);
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(tree["data"]["result"].as_array().unwrap().len(), 4);
}

#[test]
fn a_vector_has_one_value_a_series() {
    let batch = series();
    let first = tiles(&[&[Some(2.0)], &[Some(3.25)], &[None]]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("labels", Arc::clone(batch.column(0)), true),
        ("values", first, true),
    ])
    .unwrap();
    let kind = || OutputKind::Series { grid: GRID };
    assert_eq!(
        written(kind(), Form::Instant, None, std::slice::from_ref(&batch)),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"up","job":"a\"b"},"value":[1.500,"2"]},"#,
            r#"{"metric":{},"value":[1.500,"3.25"]}]}}"#
        )
    );
    assert_eq!(
        written(kind(), Form::Instant, Some(1), &[batch]),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"up","job":"a\"b"},"value":[1.500,"2"]}]},"#,
            r#""warnings":["results truncated due to limit"]}"#
        )
    );
    assert_eq!(
        written(kind(), Form::Instant, None, &[]),
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
    );
}

#[test]
fn scalars_and_texts_are_pairs() {
    let kind = OutputKind::Scalar { grid: GRID };
    let batch = RecordBatch::try_from_iter_with_nullable([(
        "values",
        tiles(&[&[Some(2.0), Some(3.0), Some(4.0)]]),
        true,
    )])
    .unwrap();
    assert_eq!(
        written(kind.clone(), Form::Instant, None, std::slice::from_ref(&batch)),
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.500,"2"]}}"#
    );
    assert_eq!(
        written(kind, Form::Range, None, &[batch]),
        concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":["#,
            r#"{"metric":{},"values":[[1.500,"2"],[2,"3"],[2.500,"4"]]}]}}"#
        )
    );
    let text: ArrayRef = Arc::new(StringArray::from(vec!["ab"]));
    let batch = RecordBatch::try_from_iter([("name", text)]).unwrap();
    assert_eq!(
        written(OutputKind::Text, Form::Instant, None, &[batch]),
        r#"{"status":"success","data":{"resultType":"string","result":[1.500,"ab"]}}"#
    );
}

#[test]
fn names_and_label_sets_are_lists() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let batch = RecordBatch::try_from_iter([("name", names)]).unwrap();
    assert_eq!(
        text_of(&mut Names::new(None), std::slice::from_ref(&batch), &["odd"]),
        r#"{"status":"success","data":["a","b"],"warnings":["odd"]}"#
    );
    assert_eq!(
        text_of(&mut Names::new(Some(1)), &[batch], &[]),
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#
    );
    let sets = RecordBatch::try_from_iter([("labels", labels(&[&[("a", "b")], &[]]))]).unwrap();
    assert_eq!(
        text_of(&mut Names::new(None), &[sets], &[]),
        r#"{"status":"success","data":[{"a":"b"},{}]}"#
    );
}

#[test]
fn only_some_warnings_are_shown() {
    let warnings: Vec<String> = (0..12).map(|i| i.to_string()).collect();
    let warnings: Vec<&str> = warnings.iter().map(String::as_str).collect();
    let text = text_of(&mut Names::new(None), &[], &warnings);
    assert!(text.ends_with(r#""9","2 more warning annotations omitted"]}"#), "{text}");
    let text = text_with(&mut Names::new(None), &[], &["careful"], &warnings);
    assert!(text.contains(r#","warnings":["careful"],"infos":["0","1","#), "{text}");
    assert!(text.ends_with(r#""9","2 more info annotations omitted"]}"#), "{text}");
}

#[test]
fn errors_are_well_formed() {
    assert_eq!(
        super::error("bad_data", "a \"b\""),
        r#"{"status":"error","errorType":"bad_data","error":"a \"b\""}"#
    );
}
