//! Merged rows are those of the inputs, in the order that a stable sort gives.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use proptest::prelude::*;
use schemas::tables::columns;

use super::*;
use crate::compact::input::views;
use crate::fixtures::{logs, samples};

type Sample = (i64, i64, f64);

fn input(batches: Vec<RecordBatch>) -> Rows {
    Box::new(batches.into_iter().map(Ok))
}

fn read(rows: &RecordBatch) -> Vec<(i64, i64, u64)> {
    let integers = |name| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    let values = rows.column_by_name(columns::VALUE).unwrap().as_primitive::<Float64Type>();
    let (series, times) = (integers(columns::SERIES_ID), integers(columns::TIME_MS));
    let row = |row| (series.value(row), times.value(row), values.value(row).to_bits());
    (0..rows.num_rows()).map(row).collect()
}

fn merge_all(inputs: Vec<Rows>, rows: usize, group: usize) -> Vec<RecordBatch> {
    let table = Table::MetricSamples;
    let mut merger = Merger::new(table, table.schema(), inputs).unwrap();
    std::iter::from_fn(|| merger.next(rows, group).unwrap()).collect()
}

fn inputs() -> impl Strategy<Value = Vec<Vec<(i64, i64)>>> {
    let rows = prop::collection::vec((0..5_i64, 0..9_i64), 0..60);
    prop::collection::vec(rows, 1..6)
}

proptest! {
    #[test]
    fn a_merge_is_a_stable_sort(
        inputs in inputs(),
        batch_rows in 1..20_usize,
        rows in 1..40_usize,
        group in 0..3_usize,
    ) {
        let mut number = 0.0;
        let mut expected: Vec<Sample> = Vec::new();
        let mut merged = Vec::new();
        for mut keys in inputs {
            keys.sort_unstable();
            let rows: Vec<Sample> = keys
                .into_iter()
                .map(|(series, time)| {
                    number += 1.0;
                    (series, time, number)
                })
                .collect();
            expected.extend(&rows);
            merged.push(input(rows.chunks(batch_rows).map(samples).collect()));
        }
        expected.sort_by_key(|(series, time, _)| (*series, *time));
        let batches = merge_all(merged, rows, group);
        let found: Vec<_> = batches.iter().flat_map(read).collect();
        let expected =
            expected.into_iter().map(|(series, time, value)| (series, time, value.to_bits()));
        prop_assert_eq!(found, expected.collect::<Vec<_>>());
        for pair in batches.windows(2) {
            let (last, first) = (read(&pair[0]).pop().unwrap(), read(&pair[1])[0]);
            // Every row has metric 0, so a group of one key column is everything.
            prop_assert!(group < 2 || last.0 != first.0, "a series in two batches");
        }
    }
}

#[test]
fn texts_of_many_batches_stay_with_their_rows() {
    let schema = views(&Table::Logs.schema());
    let views = |rows: &RecordBatch| {
        let columns = rows.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| match field.data_type() {
            DataType::Utf8View => {
                cast(&cast(column, &DataType::Utf8).unwrap(), &DataType::Utf8View)
            }
            _ => Ok(Arc::clone(column)),
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.map(Result::unwrap).collect()).unwrap()
    };
    let line = |number: i64| format!("a line that is long enough to lie in a buffer: {number}");
    let of = |start: i64| {
        let lines: Vec<String> = (0..20).map(|at| line(start + 3 * at)).collect();
        let rows = lines.iter().zip(0..).map(|(body, at)| (1, start + 3 * at, body.as_str()));
        views(&logs(&rows.collect::<Vec<_>>()))
    };
    let inputs = [of(0), of(1), of(2)].map(|rows| input(vec![rows.slice(0, 7), rows.slice(7, 13)]));
    let mut merger = Merger::new(Table::Logs, Arc::clone(&schema), inputs).unwrap();
    let batches: Vec<_> = std::iter::from_fn(|| merger.next(11, 0).unwrap()).collect();
    let rows = concat_batches(&schema, &batches).unwrap();
    let bodies: &StringViewArray = rows.column_by_name(columns::BODY).unwrap().as_string_view();
    let found: Vec<&str> = bodies.iter().map(Option::unwrap).collect();
    assert_eq!(found, (0..60).map(line).collect::<Vec<_>>());
}

#[test]
fn an_input_that_fails_fails_the_merge() {
    let failure = Error::new(ErrorKind::Damaged, "x");
    let bad: Rows = Box::new([Ok(samples(&[(1, 1, 0.0)])), Err(failure)].into_iter());
    let good = input(vec![samples(&[(1, 2, 0.0)])]);
    let table = Table::MetricSamples;
    let mut merger = Merger::new(table, table.schema(), [bad, good]).unwrap();
    assert_eq!(merger.next(10, 0).unwrap_err().kind(), ErrorKind::Damaged);
}
