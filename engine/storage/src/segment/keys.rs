//! Keys: the sort key of the rows of a batch, compared without looking at any other column.

use arrow::array::{AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::Int64Type;
use schemas::tables::Table;

use crate::{Error, ErrorKind};

/// Columns of the longest sort key.
const COLUMNS_MAX: usize = 3;

/// The key of one row. Tables with fewer key columns repeat the first, which orders them alike.
pub(crate) type Key = [i64; COLUMNS_MAX];

/// The keys of the rows of a batch; a clone costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    columns: [ScalarBuffer<i64>; COLUMNS_MAX],
    used: usize,
}

impl Keys {
    /// The sort keys of rows of `table`; rows may lack all other columns.
    pub(crate) fn of(table: Table, rows: &RecordBatch) -> Result<Self, Error> {
        let names = table.sort_key().columns;
        let first = integers(rows, names.first().copied().unwrap_or_default())?;
        let mut columns = [first.clone(), first.clone(), first];
        for (column, name) in columns.iter_mut().zip(names) {
            *column = integers(rows, name)?;
        }
        Ok(Self { columns, used: names.len().min(COLUMNS_MAX) })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// The key of a row.
    pub(crate) fn at(&self, row: usize) -> Key {
        [self.columns[0][row], self.columns[1][row], self.columns[2][row]]
    }

    /// Whether the first `columns` columns of two rows are the same.
    pub(crate) fn is_same(&self, columns: usize, a: usize, b: usize) -> bool {
        self.columns.iter().take(columns).all(|column| column[a] == column[b])
    }

    /// The first row whose key is below that of the row before it.
    pub(crate) fn first_out_of_order(&self) -> Option<usize> {
        (1..self.len()).find(|row| self.at(row - 1) > self.at(*row))
    }

    /// The first row from `from` on that does not come before `bound`, where rows of the very
    /// key `bound` come before it if `with_equal`: doubling steps, then halving, so that short
    /// and long runs cost their logarithm.
    pub(crate) fn seek(&self, from: usize, bound: &Key, with_equal: bool) -> usize {
        let is_before = |row: usize| match self.at(row).cmp(bound) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => with_equal,
            std::cmp::Ordering::Greater => false,
        };
        let rows = self.len();
        let (mut low, mut step) = (from, 1);
        while low + step <= rows && is_before(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(rows);
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Least and greatest value of each key column; empty if there are no rows.
    pub(crate) fn ranges(&self) -> Vec<(i64, i64)> {
        let columns = self.columns.iter().take(self.used);
        columns.filter_map(|column| range(column)).collect()
    }
}

/// Least and greatest of some numbers; `None` if there are none.
pub(crate) fn range(values: &[i64]) -> Option<(i64, i64)> {
    let first = *values.first()?;
    let widen =
        |(least, greatest): (i64, i64), value: &i64| (least.min(*value), greatest.max(*value));
    Some(values.iter().fold((first, first), widen))
}

/// A column of integers without nulls.
pub(crate) fn integers(rows: &RecordBatch, name: &str) -> Result<ScalarBuffer<i64>, Error> {
    let column = rows.column_by_name(name).and_then(|column| {
        column.as_primitive_opt::<Int64Type>().map(|column| column.values().clone())
    });
    column.ok_or_else(|| Error::new(ErrorKind::Internal, format!("no integers in column {name}")))
}

#[cfg(test)]
mod tests;
