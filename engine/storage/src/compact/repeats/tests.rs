//! What is the same is kept once, and nothing else is dropped.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array};

use super::*;
use crate::fixtures::{batch, labels, logs, samples, series};

fn kept(table: Table, rows: &RecordBatch) -> Vec<usize> {
    match keep(table, rows).unwrap() {
        None => (0..rows.num_rows()).collect(),
        Some(kept) => (0..kept.len()).filter(|row| kept.value(*row)).collect(),
    }
}

#[test]
fn of_samples_the_one_written_last_stays() {
    let rows = samples(&[(1, 5, 0.1), (1, 5, 0.2), (1, 6, 0.3), (2, 6, 0.4), (2, 6, 0.5)]);
    assert_eq!(kept(Table::MetricSamples, &rows), [1, 2, 4]);
    assert!(keep(Table::MetricSamples, &samples(&[(1, 5, 0.1), (2, 5, 0.1)])).unwrap().is_none());
}

#[test]
fn of_series_the_first_row_stays() {
    let up = labels(&[("__name__", "up")]);
    let rows = series(&[(1, up.clone(), 9), (1, up.clone(), 3), (2, up, 4)]);
    assert_eq!(kept(Table::MetricSeries, &rows), [0, 2]);
}

#[test]
fn equal_log_records_are_two() {
    let rows = logs(&[(1, 7, "a"), (1, 7, "a")]);
    assert_eq!(kept(Table::Logs, &rows), [0, 1]);
}

#[test]
fn spans_are_the_same_by_start_ids_and_kind() {
    let ids = |ids: &[u8], width: usize| -> ArrayRef {
        let ids = ids.iter().map(|id| vec![*id; width]);
        Arc::new(FixedSizeBinaryArray::try_from_iter(ids).unwrap())
    };
    let all = [
        // start, trace, span, kind
        (10, 1, 1, 2),
        (10, 1, 2, 2),
        (10, 1, 1, 2),
        (10, 1, 1, 3),
        (10, 2, 1, 2),
        (11, 1, 1, 2),
        (12, 1, 1, 2),
        (12, 1, 1, 2),
    ];
    let rows = batch(
        Table::Spans,
        vec![
            (columns::START_NS, Arc::new(Int64Array::from_iter_values(all.map(|of| of.0)))),
            (columns::TRACE_ID, ids(&all.map(|of| of.1), 16)),
            (columns::SPAN_ID, ids(&all.map(|of| of.2), 8)),
            (columns::KIND, Arc::new(Int32Array::from_iter_values(all.map(|of| of.3)))),
        ],
    );
    assert_eq!(kept(Table::Spans, &rows), [1, 2, 3, 4, 5, 7]);
}
