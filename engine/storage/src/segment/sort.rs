//! Sorting: rows into days, and into the order of the table's key.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use schemas::model::NANOS_PER_DAY;
use schemas::tables::Table;

use crate::{Error, ErrorKind};

/// Columns of the longest sort key.
const KEY_COLUMNS_MAX: usize = 3;

/// Rows in order, and what the catalog says of them.
pub(super) struct Sorted {
    /// In the order of the table's sort key.
    pub(super) rows: RecordBatch,
    /// Least and greatest time, in the unit of the time column.
    pub(super) times: (i64, i64),
    /// Least and greatest value of each key column.
    pub(super) key_ranges: Vec<(i64, i64)>,
}

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
pub(super) fn sort(table: Table, rows: &RecordBatch) -> Result<Sorted, Error> {
    let key = table.sort_key();
    let mut columns: [&[i64]; KEY_COLUMNS_MAX] = [&[]; KEY_COLUMNS_MAX];
    for (at, name) in key.columns.iter().enumerate() {
        columns[at] = integers(rows, name)?;
    }
    let mut order: Vec<([i64; KEY_COLUMNS_MAX], u32)> = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let key = columns.map(|column| column.get(row).copied().unwrap_or(0));
        order.push((key, row_number(row)?));
    }
    order.sort_unstable();
    if matches!(table, Table::MetricSeries | Table::LogStreams) {
        order.dedup_by_key(|(key, _)| *key);
    }
    let key_ranges = (0..key.columns.len()).map(|at| {
        let values = || order.iter().map(|(key, _)| key[at]);
        (values().min().unwrap_or(0), values().max().unwrap_or(0))
    });
    let key_ranges = key_ranges.collect();
    let order: Vec<u32> = order.into_iter().map(|(_, row)| row).collect();
    let rows = take_record_batch(rows, &UInt32Array::from(order)).map_err(arrow)?;
    check_order(&rows, key.columns)?;
    let times = integers(&rows, key.time_column)?;
    let (least, greatest) = (times.iter().min(), times.iter().max());
    let times = (least.copied().unwrap_or(0), greatest.copied().unwrap_or(0));
    Ok(Sorted { times, key_ranges, rows })
}

/// Readers merge segments without sorting them again, so none may be out of order.
fn check_order(rows: &RecordBatch, key: &[&str]) -> Result<(), Error> {
    let columns = key.iter().map(|name| integers(rows, name)).collect::<Result<Vec<_>, _>>()?;
    let key_of = |row: usize| columns.iter().map(move |column| column[row]);
    if (1..rows.num_rows()).all(|row| key_of(row - 1).le(key_of(row))) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "sorted rows are not in order"))
}

fn integers<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a [i64], Error> {
    let column = rows.column_by_name(name).and_then(|column| {
        column.as_primitive_opt::<Int64Type>().map(|column| &column.values()[..])
    });
    column.ok_or_else(|| Error::new(ErrorKind::Internal, format!("no integers in column {name}")))
}

fn row_number(row: usize) -> Result<u32, Error> {
    u32::try_from(row)
        .map_err(|_| Error::new(ErrorKind::Limit, "a segment holds at most 2^32 rows"))
}

pub(super) fn arrow(error: ArrowError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("rows cannot be arranged: {error}"), error)
}
