//! Rows in order, against a sort of all of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use proptest::prelude::*;

use super::*;
use crate::QueryMemory;

/// A row: series, time, and a value that no other row has.
type Row = (i64, i64, f64);

fn metric_of(series: i64) -> i64 {
    series / 3
}

/// A batch with a column that nobody asks for, and one that is null throughout.
fn batch(rows: &[Row]) -> RecordBatch {
    let integers = |of: &dyn Fn(&Row) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Int64Array>())
    };
    let columns: [(&str, ArrayRef, bool); 6] = [
        ("metric", integers(&|row| metric_of(row.0)), false),
        ("series", integers(&|row| row.0), false),
        ("time", integers(&|row| row.1), false),
        ("unasked", integers(&|_| 0), false),
        ("value", Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()), true),
        ("mantissa", storage::absent(&arrow::datatypes::DataType::Int64, rows.len()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn values(batch: Option<RecordBatch>) -> Vec<Row> {
    let Some(batch) = batch else { return Vec::new() };
    assert_eq!(batch.num_columns(), 5);
    assert_eq!(batch.column(4).null_count(), batch.num_rows());
    let integers = |at: usize| batch.column(at).as_primitive::<Int64Type>().values().to_vec();
    let numbers = batch.column(3).as_primitive::<arrow::datatypes::Float64Type>().values().to_vec();
    let rows = integers(1).into_iter().zip(integers(2)).zip(numbers);
    let rows: Vec<Row> = rows.map(|((series, time), value)| (series, time, value)).collect();
    assert!(integers(0).iter().zip(&rows).all(|(metric, row)| *metric == metric_of(row.0)));
    rows
}

proptest! {
    #[test]
    fn rows_come_as_a_sort_puts_them(
        batches in prop::collection::vec(
            prop::collection::vec((0..12_i64, 0..20_i64), 0..30), 0..5),
        wanted in prop::collection::btree_set(0..12_i64, 0..12),
        (first, length) in (0..20_i64, 0..20_i64),
        newest in prop::option::of(0..25_i64),
    ) {
        let mut number = 0.0;
        let batches: Vec<Vec<Row>> = batches
            .into_iter()
            .map(|rows| {
                let numbered = rows.into_iter().map(|(series, time)| {
                    number += 1.0;
                    (series, time, number)
                });
                numbered.collect()
            })
            .collect();
        let mut expected: Vec<Row> = batches.iter().flatten().copied().collect();
        let last = newest.unwrap_or(i64::MAX).min(first + length);
        expected.retain(|row| wanted.contains(&row.0) && (first..=last).contains(&row.1));
        expected.sort_by_key(|row| (row.0, row.1));
        if newest.is_some() {
            // Of each series the one behind all others.
            expected.reverse();
            expected.dedup_by_key(|row| row.0);
            expected.reverse();
        }
        let selected: Vec<Selected> = wanted
            .iter()
            .map(|series| Selected { key: (metric_of(*series), *series), ordinal: 0 })
            .collect();
        let held = QueryMemory::default().hold("samples");
        held.grow(1_000).unwrap();
        let range = TimeRange { start_ns: first * 1_000_000, end_ns: (first + length) * 1_000_000 + 1 };
        let what = newest.map_or(Wanted::All, Wanted::NewestUpTo);
        let batches: Vec<RecordBatch> = batches.iter().map(|rows| batch(rows)).collect();
        let found = buffered(&batches, &[0, 1, 2, 4, 5], &selected, (range, what), &held).unwrap();
        let bytes = found.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        prop_assert_eq!(held.bytes(), 1_000 + bytes);
        prop_assert_eq!(values(found), expected);
    }
}

#[test]
fn only_kernels_that_look_at_one_sample_get_one() {
    let windows = |count, step| Windows {
        first_end: 70,
        step,
        first_eval: 70,
        eval_step: 15,
        count,
        range: 300,
        units_per_second: 1_000.0,
    };
    let newest = Wanted::NewestUpTo(70);
    assert_eq!(Wanted::by(&Kernel::Newest, &windows(1, 15)), newest);
    assert_eq!(Wanted::by(&Kernel::NewestTime, &windows(9, 0)), newest);
    assert_eq!(Wanted::by(&Kernel::Newest, &windows(2, 15)), Wanted::All);
    assert_eq!(Wanted::by(&Kernel::Smoothed, &windows(1, 15)), Wanted::All);
    assert_eq!(Wanted::by(&Kernel::LastDelta, &windows(1, 15)), Wanted::All);
}
