//! Spansets: which spans a TraceQL query selects, and which traces that makes.
//!
//! ```text
//!  rows of Table::Spans ─ masks ─▶ candidate spans ─ by trace ─▶ spanset algebra ─▶ newest traces
//! ```
//!
//! In reading order: `value` (what TraceQL compares), `place` (where a value is stored), `json`
//! (the overflow objects), `frame` (columns and single values), `probe` and `mask` (whole
//! columns), `scalar` (row by row), `search` (the compiled query), `structure` and `algebra` (one
//! trace), `collector` and `report` (the answer), `names` (keys and values that occur).
//!
//! Everything here is Arrow in, Arrow out: nothing is awaited and no DataFusion type is named.

mod algebra;
mod collector;
mod frame;
mod json;
mod mask;
mod names;
mod place;
mod probe;
mod report;
mod scalar;
mod search;
mod structure;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use plan::Expr;
use schemas::model::Attribute;

use crate::Error;

pub(crate) use collector::SUMMARY_COLUMNS;
pub(crate) use names::Names;
pub(crate) use search::Search;

/// For each row of spans whether a predicate holds; never null.
///
/// Rows have at least the columns of [`columns_of`] for the layout of their table.
pub(crate) fn mask(predicate: &Expr, rows: &RecordBatch) -> Result<BooleanArray, Error> {
    search::check(predicate)?;
    mask::mask(predicate, &frame::Frame::spans(rows))
}

/// Columns of `schema`, the layout of the spans table, that a predicate reads.
pub(crate) fn columns_of(predicate: &Expr, schema: &Schema) -> Vec<Cow<'static, str>> {
    place::columns_read(predicate, schema)
}

/// The attributes that an expression reads.
pub(crate) fn attributes_of(expr: &Expr) -> Vec<&Attribute> {
    let mut read = Vec::new();
    place::for_each_reference(expr, &mut |reference| {
        if let Expr::Attribute(attribute) = reference {
            read.push(attribute);
        }
    });
    read
}
