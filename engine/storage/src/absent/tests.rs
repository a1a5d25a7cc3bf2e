//! Absent columns are as Arrow's own, but for their memory.

use schemas::tables::{Table, columns};

use super::*;
use crate::fixtures::samples;

#[test]
fn they_equal_columns_of_nulls() {
    for data_type in [DataType::Int64, DataType::Int32, DataType::Float64, DataType::Utf8] {
        for rows in [0, 1, 255, 256, 513, 131_072, 131_073, 300_000] {
            let column = absent(&data_type, rows);
            assert_eq!(&column, &new_null_array(&data_type, rows), "{data_type} {rows}");
            assert_eq!((column.len(), column.null_count()), (rows, rows));
        }
    }
}

#[test]
fn only_what_is_their_own_is_counted() {
    let rows: Vec<_> = (0..600).map(|at| (1, at, 0.5)).collect();
    let rows = samples(&rows);
    let all: usize = rows.columns().iter().map(|column| column.get_array_memory_size()).sum();
    assert_eq!(held_bytes(&rows), all, "columns with zeros of their own");
    let schema = Table::MetricSamples.schema();
    let mut columns = rows.columns().to_vec();
    let mut saved = 0;
    for name in [columns::VALUE_MANTISSA, columns::VALUE_EXPONENT] {
        let at = schema.index_of(name).unwrap();
        saved += columns[at].get_array_memory_size();
        columns[at] = absent(columns[at].data_type(), rows.num_rows());
    }
    let shared = RecordBatch::try_new(schema, columns).unwrap();
    assert_eq!(held_bytes(&shared), all - saved);
    assert_eq!(shared, rows);
}

#[test]
fn what_arrow_reckons_of_them_stays_within_bounds() {
    for rows in [600, 5_000, 70_000, 131_072] {
        let reckoned = absent(&DataType::Int64, rows).get_array_memory_size();
        let own = new_null_array(&DataType::Int64, rows).get_array_memory_size();
        assert!(reckoned <= 2 * own + (8 << 10), "{rows}: {reckoned} against {own}");
    }
}
