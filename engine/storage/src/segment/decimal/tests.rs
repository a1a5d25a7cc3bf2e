//! Every number comes back with the bits it had.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use proptest::prelude::*;
use schemas::tables::Table;

use super::split;

fn batch(series: &[i64], numbers: &[f64]) -> RecordBatch {
    let schema = Table::MetricSamples.schema();
    let ids: Arc<dyn Array> = Arc::new(Int64Array::from(series.to_vec()));
    let mut columns: Vec<Arc<dyn Array>> = vec![
        Arc::clone(&ids),
        Arc::clone(&ids),
        ids,
        Arc::new(Float64Array::from(numbers.to_vec())),
    ];
    for field in &schema.fields()[4..] {
        columns.push(new_null_array(field.data_type(), numbers.len()));
    }
    RecordBatch::try_new(schema, columns).unwrap()
}

fn read_back(rows: &RecordBatch) -> Vec<u64> {
    let values = rows.column(3).as_primitive::<Float64Type>();
    let mantissas = rows.column(4).as_primitive::<Int64Type>();
    let exponents = rows.column(5).as_primitive::<Int32Type>();
    (0..rows.num_rows())
        .map(|row| {
            assert_ne!(values.is_valid(row), mantissas.is_valid(row));
            assert_eq!(mantissas.is_valid(row), exponents.is_valid(row));
            let number = if values.is_valid(row) {
                values.value(row)
            } else {
                mantissas.value(row) as f64 / 10_f64.powi(exponents.value(row))
            };
            number.to_bits()
        })
        .collect()
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (-1_000_000_i64..1_000_000, 0..5_i32)
            .prop_map(|(mantissa, exponent)| mantissa as f64 / 10_f64.powi(exponent)),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(9_007_199_254_740_993.0),
    ]
}

proptest! {
    #[test]
    fn splitting_is_bit_exact(rows in prop::collection::vec((0..4_i64, number()), 1..80)) {
        let (mut series, numbers): (Vec<i64>, Vec<f64>) = rows.into_iter().unzip();
        series.sort_unstable();
        let expected: Vec<u64> = numbers.iter().map(|number| number.to_bits()).collect();
        prop_assert_eq!(read_back(&split(&batch(&series, &numbers)).unwrap()), expected);
    }
}

#[test]
fn decimals_become_integers_of_one_exponent() {
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let rows = split(&batch(&[1, 1, 1, 2], &[1027.25, 1031.5, stale, 0.1 + 0.2])).unwrap();
    let mantissas = rows.column(4).as_primitive::<Int64Type>();
    assert_eq!((mantissas.value(0), mantissas.value(1)), (102_725, 103_150));
    assert_eq!((mantissas.is_null(2), mantissas.is_null(3)), (true, true));
    assert_eq!(rows.column(3).as_primitive::<Float64Type>().null_count(), 2);
}
