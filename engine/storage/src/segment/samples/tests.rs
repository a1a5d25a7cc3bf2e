//! Sorted as a plain sort of the rows would, whatever came how.

use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::*;
use crate::fixtures::{batch, samples as fixture};
use crate::segment::sort;

const DAY_MS: i64 = 86_400_000;

type Row = (i64, i64, i64, u64, Option<i64>);

fn rows_of(rows: &[Row], has_starts: bool) -> RecordBatch {
    let integers = |of: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
    };
    let numbers = rows.iter().map(|row| f64::from_bits(row.3));
    let mut given = vec![
        (columns::METRIC_ID, integers(|row| row.0)),
        (columns::SERIES_ID, integers(|row| row.1)),
        (columns::TIME_MS, integers(|row| row.2)),
        (columns::VALUE, Arc::new(Float64Array::from_iter_values(numbers)) as ArrayRef),
    ];
    if has_starts {
        given.push((
            columns::START_TIME_MS,
            Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.4))),
        ));
    }
    batch(Table::MetricSamples, given)
}

/// Days with their rows, by the sort that all tables share.
fn reference(batches: &[RecordBatch]) -> Vec<(i32, RecordBatch)> {
    let days = sort::by_day(Table::MetricSamples, batches).unwrap();
    let sorted = |rows: &RecordBatch| sort::sort(Table::MetricSamples, rows).unwrap();
    days.iter().map(|(day, rows)| (*day, sorted(rows))).collect()
}

fn found(batches: &[RecordBatch]) -> Vec<(i32, RecordBatch)> {
    let samples = Samples::sorted(batches).unwrap().unwrap();
    let days = samples.days().map(|day| {
        let chunks: Vec<_> = day.chunks().map(Result::unwrap).collect();
        let rows = concat_batches(&Table::MetricSamples.schema(), &chunks).unwrap();
        let series = integers(&rows, columns::SERIES_ID).unwrap();
        let metrics = integers(&rows, columns::METRIC_ID).unwrap();
        let mut pairs: Vec<_> = metrics.iter().zip(series.iter()).collect();
        pairs.dedup();
        assert_eq!((day.rows, day.series), (rows.num_rows(), pairs.len()));
        (day.day, rows)
    });
    days.collect()
}

fn bits(days: &[(i32, RecordBatch)]) -> Vec<Vec<u64>> {
    let column =
        |rows: &RecordBatch| rows.column(3).as_primitive::<Float64Type>().values().to_vec();
    days.iter().map(|(_, rows)| column(rows).into_iter().map(f64::to_bits).collect()).collect()
}

proptest! {
    #[test]
    fn as_a_sort_of_all_rows(
        parts in prop::collection::vec(
            (
                prop::collection::vec(
                    (
                        0..3_i64,
                        -2..5_i64,
                        (-DAY_MS..2 * DAY_MS).prop_map(|time| time / 40_000_000 * 40_000_000),
                        any::<u64>(),
                        prop::option::of(0..9_i64),
                    ),
                    1..40,
                ),
                any::<bool>(),
            ),
            1..6,
        ),
    ) {
        let batches: Vec<_> =
            parts.iter().map(|(rows, has_starts)| rows_of(rows, *has_starts)).collect();
        let (expected, found) = (reference(&batches), found(&batches));
        // NaN is not equal to itself, so values are compared by their bits.
        prop_assert_eq!(bits(&expected), bits(&found));
        let others = |days: &[(i32, RecordBatch)]| -> Vec<_> {
            let others = [0, 1, 2, 4, 5, 6];
            days.iter().map(|(day, rows)| (*day, rows.project(&others).unwrap())).collect()
        };
        prop_assert_eq!(others(&expected), others(&found));
    }
}

#[test]
fn no_series_is_cut() {
    let rows: Vec<_> = (0..200_000).map(|at| (at % 5, at / 5, 1.0)).collect();
    let samples = Samples::sorted(&[fixture(&rows)]).unwrap().unwrap();
    let day = samples.days().next().unwrap();
    let chunks: Vec<_> = day.chunks().map(Result::unwrap).collect();
    assert_eq!(
        chunks.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [80_000, 80_000, 40_000]
    );
}

#[test]
fn what_is_in_the_form_of_segments_is_left_to_others() {
    let rows = fixture(&[(1, 2, 3.0)]);
    assert!(Samples::sorted(std::slice::from_ref(&rows)).unwrap().is_some());
    let stored = crate::segment::stored(Table::MetricSamples, rows.clone()).unwrap();
    assert!(Samples::sorted(&[rows, stored]).unwrap().is_none());
    assert_eq!(Samples::sorted(&[]).unwrap().unwrap().days().count(), 0);
}
