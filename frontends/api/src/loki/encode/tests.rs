//! Loki's JSON from hand-made batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use exec::OutputKind;
use schemas::model::StepGrid;

use super::{Encode, Form, Lines, Names, Samples};
use crate::testing::{labels, text_of, tiles};

fn lines() -> RecordBatch {
    let times: ArrayRef = Arc::new(Int64Array::from(vec![3, 2, 1]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["c", "b \"q\"", "a"]));
    let job: &[(&str, &str)] = &[("job", "j")];
    let app: &[(&str, &str)] = &[("app", "x")];
    RecordBatch::try_from_iter([
        ("time_unix_nano", times),
        ("line", texts),
        ("stream", labels(&[job, app, job])),
        ("metadata", labels(&[&[("level", "info")], &[], &[("level", "warn")]])),
        ("parsed", labels(&[&[("code", "200")], &[], &[]])),
    ])
    .unwrap()
}

/// What is written, without the statistics.
fn without_stats(encoder: &mut impl Encode<Buffer = String>, batches: &[RecordBatch]) -> String {
    let text = text_of(encoder, batches, &[]);
    let _: serde_json::Value = serde_json::from_str(&text).unwrap();
    text.split_once(r#","stats":"#).unwrap().0.to_owned()
}

#[test]
fn without_flags_all_labels_make_the_stream() {
    assert_eq!(
        without_stats(&mut Lines::new(false, 100), &[lines()]),
        concat!(
            r#"{"status":"success","data":{"resultType":"streams","result":["#,
            r#"{"stream":{"app":"x"},"values":[["2","b \"q\""]]},"#,
            r#"{"stream":{"code":"200","job":"j","level":"info"},"values":[["3","c"]]},"#,
            r#"{"stream":{"job":"j","level":"warn"},"values":[["1","a"]]}]"#,
        )
    );
}

#[test]
fn with_flags_streams_keep_their_own_labels() {
    assert_eq!(
        without_stats(&mut Lines::new(true, 100), &[lines()]),
        concat!(
            r#"{"status":"success","data":{"resultType":"streams","#,
            r#""encodingFlags":["categorize-labels"],"result":["#,
            r#"{"stream":{"app":"x"},"values":[["2","b \"q\"",{}]]},"#,
            r#"{"stream":{"job":"j"},"values":["#,
            r#"["3","c",{"structuredMetadata":{"level":"info"},"parsed":{"code":"200"}}],"#,
            r#"["1","a",{"structuredMetadata":{"level":"warn"}}]]}]"#,
        )
    );
}

#[test]
fn the_limit_holds_over_all_batches() {
    let text = without_stats(&mut Lines::new(true, 4), &[lines(), lines()]);
    assert_eq!(text.matches("{}]").count() + text.matches("}}]").count(), 4);
    assert!(without_stats(&mut Lines::new(true, 4), &[]).ends_with(r#""result":[]"#));
}

#[test]
fn the_health_check_is_one_sample() {
    let at = StepGrid::instant(4_000_000_000_000_000_000);
    let kind = OutputKind::Series { grid: at };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("labels", labels(&[&[]]), true),
        ("values", tiles(&[&[Some(2.0)]]), true),
    ])
    .unwrap();
    let mut samples = Samples::new(&kind, Form::Instant, at).unwrap();
    assert_eq!(
        without_stats(&mut samples, &[batch]),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{},"value":[4000000000,"2"]}]"#,
        )
    );
}

#[test]
fn series_without_a_value_are_left_out() {
    let grid = StepGrid { start_ns: 0, step_ns: 1_500_000_000, steps: 2 };
    let kind = OutputKind::Series { grid };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("labels", labels(&[&[("a", "1")], &[("a", "2")], &[("a", "3")]]), true),
        ("values", tiles(&[&[Some(1e21), None], &[None, None], &[None, Some(0.5)]]), true),
    ])
    .unwrap();
    let mut samples = Samples::new(&kind, Form::Range, grid).unwrap();
    assert_eq!(
        without_stats(&mut samples, &[batch]),
        concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":["#,
            r#"{"metric":{"a":"1"},"values":[[0,"1000000000000000000000"]]},"#,
            r#"{"metric":{"a":"3"},"values":[[1.500,"0.5"]]}]"#,
        )
    );
}

#[test]
fn scalars_are_pairs_or_a_series() {
    let grid = StepGrid { start_ns: 0, step_ns: 1_000_000_000, steps: 2 };
    let kind = OutputKind::Scalar { grid };
    let batch = |row: &[Option<f64>]| {
        RecordBatch::try_from_iter_with_nullable([("values", tiles(&[row]), true)]).unwrap()
    };
    let mut samples = Samples::new(&kind, Form::Instant, StepGrid::instant(0)).unwrap();
    assert!(
        without_stats(&mut samples, &[batch(&[Some(1.0)])])
            .ends_with(r#""resultType":"scalar","result":[0,"1"]"#)
    );
    let mut samples = Samples::new(&kind, Form::Range, grid).unwrap();
    assert!(
        without_stats(&mut samples, &[batch(&[Some(1.0), Some(2.0)])])
            .ends_with(r#""result":[{"metric":{},"values":[[0,"1"],[1,"2"]]}]"#)
    );
}

#[test]
fn names_are_listed() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let batch = RecordBatch::try_from_iter([("name", names)]).unwrap();
    assert_eq!(
        text_of(&mut Names::default(), &[batch.clone(), batch], &[]),
        r#"{"status":"success","data":["a","b","a","b"]}"#
    );
}
