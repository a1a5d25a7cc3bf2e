//! Sorting: rows into days, and into the order of the table's key.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use schemas::model::NANOS_PER_DAY;
use schemas::tables::Table;

use super::keys::{Key, Keys, integers};
use crate::{Error, ErrorKind};

/// Rows by UTC day of the time column, in order of arrival; mostly there is one day.
pub(super) fn by_day(
    table: Table,
    batches: &[RecordBatch],
) -> Result<BTreeMap<i32, RecordBatch>, Error> {
    let Some(first) = batches.first() else { return Ok(BTreeMap::new()) };
    let all = concat_batches(&first.schema(), batches).map_err(arrow)?;
    let key = table.sort_key();
    let units_per_day = NANOS_PER_DAY / key.time_unit_ns;
    let day = |time: &i64| i32::try_from(time.div_euclid(units_per_day)).unwrap_or(i32::MAX);
    let times = integers(&all, key.time_column)?;
    let (Some(least), Some(greatest)) = (times.iter().min(), times.iter().max()) else {
        return Ok(BTreeMap::new());
    };
    if day(least) == day(greatest) {
        return Ok(BTreeMap::from([(day(least), all)]));
    }
    let mut rows: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    for (row, time) in times.iter().enumerate() {
        rows.entry(day(time)).or_default().push(row_number(row)?);
    }
    let take = |rows: Vec<u32>| take_record_batch(&all, &UInt32Array::from(rows)).map_err(arrow);
    rows.into_iter().map(|(day, rows)| Ok((day, take(rows)?))).collect()
}

/// Sorts rows by the table's key; rows of one key keep their order. Of rows that name the same
/// series or stream only the first stays.
pub(super) fn sort(table: Table, rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let keys = Keys::of(table, rows)?;
    let mut order: Vec<(Key, u32)> = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        order.push((keys.at(row), row_number(row)?));
    }
    order.sort_unstable();
    if matches!(table, Table::MetricSeries | Table::LogStreams) {
        order.dedup_by_key(|(key, _)| *key);
    }
    let order: Vec<u32> = order.into_iter().map(|(_, row)| row).collect();
    take_record_batch(rows, &UInt32Array::from(order)).map_err(arrow)
}

fn row_number(row: usize) -> Result<u32, Error> {
    u32::try_from(row)
        .map_err(|_| Error::new(ErrorKind::Limit, "a segment holds at most 2^32 rows"))
}

pub(crate) fn arrow(error: ArrowError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("rows cannot be arranged: {error}"), error)
}
