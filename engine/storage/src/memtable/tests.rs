//! Joining keeps rows, order and the count of bytes.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;
use crate::fixtures::samples;

#[test]
fn many_small_batches_become_few_and_keep_their_order() {
    let mut memtable = Memtable::default();
    let (tenant, table) = (Arc::from("t"), Table::MetricSamples);
    let mut expected = Vec::new();
    for at in 0..5_000_i64 {
        let rows: Vec<_> = (0..at % 7 + 1).map(|row| (1, at * 10 + row, 0.5)).collect();
        expected.extend(rows.iter().map(|row| row.1));
        memtable.add(&tenant, &TableBatch { table, rows: samples(&rows) }, 0).unwrap();
    }
    let batches = memtable.batches("t", table);
    let batches: Vec<_> = batches.into_iter().map(|(_, rows)| rows).collect();
    // A batch of the last tier comes of eight of the one before, and so on: 512 or more each.
    assert!(batches.len() <= 3 * JOINED_BATCHES + 5_000 / 512, "{}", batches.len());
    assert_eq!(memtable.bytes, batches.iter().map(held_bytes).sum::<usize>());
    let times = |rows: &RecordBatch| rows.column(2).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(batches.iter().flat_map(times).collect::<Vec<_>>(), expected);
    assert!(memtable.batches("other", table).is_empty());
    assert!(!memtable.remove(table).is_empty());
    assert!(memtable.is_empty());
    assert_eq!(memtable.bytes, 0);
}

#[test]
fn rows_before_and_after_a_delete_request_are_not_joined() {
    let mut memtable = Memtable::default();
    let (tenant, table) = (Arc::from("t"), Table::MetricSamples);
    for at in 0..100_i64 {
        let rows = samples(&[(1, at, 0.5)]);
        memtable.add(&tenant, &TableBatch { table, rows }, u64::from(at >= 50)).unwrap();
    }
    let mut rows = [0, 0];
    for (seen, batch) in memtable.batches("t", table) {
        rows[usize::try_from(seen).unwrap()] += batch.num_rows();
    }
    assert_eq!(rows, [50, 50]);
}
