//! Repeats: rows that tell again what another row tells, found where they meet in a merge.
//!
//! | table | rows are the same if they share | which stays |
//! |---|---|---|
//! | samples, histograms | series and time | the one written last |
//! | series, streams | the id (a segment holds one day) | the first |
//! | spans | start, trace id, span id and kind | the one written last |
//! | logs, exemplars | nothing: equal records are two records | all |
//!
//! Spans of one id and different kinds are two spans: a client and a server may share an id.
//! A span that is sent again with another start is another row, too.

use std::collections::HashSet;

use ahash::RandomState;
use arrow::array::{AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::datatypes::Int32Type;
use schemas::tables::{Table, columns};

use crate::segment::Keys;
use crate::{Error, ErrorKind};

/// Leading key columns whose rows must be looked at together: repeats are among them, and samples
/// of a series share a decimal exponent.
pub(super) fn group(table: Table) -> usize {
    match table {
        Table::MetricSamples | Table::MetricHistograms | Table::MetricSeries => 2,
        Table::LogStreams | Table::Spans => 1,
        Table::Logs | Table::Exemplars => 0,
    }
}

/// The rows that stay of whole groups in order; `None` if all do.
pub(super) fn keep(table: Table, rows: &RecordBatch) -> Result<Option<BooleanArray>, Error> {
    let keys = Keys::of(table, rows)?;
    let has_equals = (1..keys.len()).any(|row| keys.at(row - 1) == keys.at(row));
    if !has_equals {
        return Ok(None);
    }
    let mut kept = BooleanBufferBuilder::new(keys.len());
    kept.append_n(keys.len(), true);
    match table {
        Table::MetricSamples | Table::MetricHistograms => {
            for row in 1..keys.len() {
                kept.set_bit(row - 1, keys.at(row - 1) != keys.at(row));
            }
        }
        Table::MetricSeries | Table::LogStreams => {
            for row in 1..keys.len() {
                kept.set_bit(row, keys.at(row - 1) != keys.at(row));
            }
        }
        Table::Spans => keep_spans(rows, &keys, &mut kept)?,
        Table::Logs | Table::Exemplars => return Ok(None),
    }
    let kept = BooleanArray::new(kept.finish(), None);
    Ok((kept.true_count() < kept.len()).then_some(kept))
}

fn keep_spans(
    rows: &RecordBatch,
    keys: &Keys,
    kept: &mut BooleanBufferBuilder,
) -> Result<(), Error> {
    let missing = || Error::new(ErrorKind::Internal, "spans without ids");
    let ids = |name| rows.column_by_name(name).and_then(|column| column.as_fixed_size_binary_opt());
    let traces = ids(columns::TRACE_ID).ok_or_else(missing)?;
    let spans = ids(columns::SPAN_ID).ok_or_else(missing)?;
    let kinds = rows.column_by_name(columns::KIND).ok_or_else(missing)?;
    let kinds = kinds.as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
    let mut seen: HashSet<(&[u8], &[u8], i32), RandomState> = HashSet::default();
    // From the last row on: the first one that is met is the one written last.
    for row in (0..keys.len()).rev() {
        let ends_group = row + 1 == keys.len() || keys.at(row) != keys.at(row + 1);
        if ends_group {
            seen.clear();
        }
        if ends_group && (row == 0 || keys.at(row - 1) != keys.at(row)) {
            continue;
        }
        kept.set_bit(row, seen.insert((traces.value(row), spans.value(row), kinds.value(row))));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
