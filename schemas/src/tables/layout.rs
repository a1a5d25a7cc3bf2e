//! Layouts: which columns the segments of a table have in one lake.
//!
//! ```text
//!  fixed columns of the table │ promoted attributes, in the order in which they were promoted
//!  ───────────────────────────┼───────────────────────────────┬─────────────────────────────
//!   the same in every lake    │ starting list of the version  │ chosen by this lake's data
//! ```
//!
//! Columns are only ever added, at the end: a segment written under an earlier layout has a prefix
//! of the promoted columns, and its rows keep in the overflow object what later got a column. So
//! one rule reads every segment and every memtable, old or new: **the attribute is what its column
//! says; where the column is null or not there, it is what the overflow object says.**
//!
//! Columns belong to the table, not to a tenant: two tenants that send the same key share the
//! column's name and type. Which keys have a column is visible to whoever may read the files of
//! the lake itself.

use std::sync::{Arc, LazyLock};

use arrow_schema::{Schema, SchemaRef};
use xxhash_rust::xxh3::xxh3_64;

use super::promoted::{Promoted, starting};
use super::{Table, columns};
use crate::model::Scope;

/// Promoted columns that a table can have at most, however many are allowed by configuration.
pub const PROMOTED_MAX: usize = 128;

/// The columns of a table in one lake at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLayout {
    table: Table,
    promoted: Vec<Promoted>,
    schema: SchemaRef,
    /// Of each number of promoted columns a hash of their names.
    prefixes: Vec<u32>,
}

impl TableLayout {
    /// The layout in which every lake begins, and that of rows as ingest makes them.
    pub fn starting(table: Table) -> &'static Arc<Self> {
        static STARTING: LazyLock<Vec<Arc<TableLayout>>> = LazyLock::new(|| {
            let of = |table: &Table| Arc::new(TableLayout::new(*table, starting(*table)));
            Table::ALL.iter().map(of).collect()
        });
        let at = Table::ALL.iter().position(|it| *it == table).expect("ALL names every table");
        &STARTING[at]
    }

    /// The layout with these promoted attributes, in this order, and behind them those of the
    /// starting list that are missing. Of columns whose names differ in case alone, which Delta
    /// tables cannot have, the first stays; what is over [`PROMOTED_MAX`] is left out.
    pub fn of(table: Table, promoted: impl IntoIterator<Item = Promoted>) -> Self {
        let none = Self::new(table, Vec::new());
        none.with(promoted.into_iter().chain(starting(table)))
    }

    /// This layout with more promoted attributes behind the others, under the rules of
    /// [`Self::of`].
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Promoted>) -> Self {
        let mut promoted = self.promoted.clone();
        for new in more {
            let is_taken =
                promoted.iter().any(|it: &Promoted| it.column.eq_ignore_ascii_case(&new.column));
            if !is_taken && promoted.len() < PROMOTED_MAX && self.takes(new.scope) {
                promoted.push(new);
            }
        }
        Self::new(self.table, promoted)
    }

    fn new(table: Table, promoted: Vec<Promoted>) -> Self {
        let mut fields = table.fixed_fields();
        fields.extend(promoted.iter().map(Promoted::field));
        let mut names = Vec::new();
        let mut prefixes = vec![0];
        for new in &promoted {
            names.extend_from_slice(new.column.as_bytes());
            names.push(0);
            prefixes.push(xxh3_64(&names) as u32);
        }
        Self { table, promoted, schema: Arc::new(Schema::new(fields)), prefixes }
    }

    /// The table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The promoted attributes, in the order of their columns.
    pub fn promoted(&self) -> &[Promoted] {
        &self.promoted
    }

    /// All columns, in order; partition columns are not among them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Position among [`Self::promoted`] of an attribute's column, if it has one.
    pub fn position(&self, scope: Scope, key: &str) -> Option<usize> {
        self.promoted.iter().position(|it| it.scope == scope && it.key.as_ref() == key)
    }

    /// A hash of the names of the first `columns` promoted columns; `None` if there are fewer.
    /// What was written about columns by their positions is true here if the hash is the same.
    pub fn prefix(&self, columns: usize) -> Option<u32> {
        self.prefixes.get(columns).copied()
    }

    /// Whether attributes of this scope may have columns here.
    pub fn takes(&self, scope: Scope) -> bool {
        overflow_columns(self.table).iter().any(|(of, _)| *of == scope)
    }
}

/// The scopes whose attributes may have columns, each with the column of its overflow objects.
pub fn overflow_columns(table: Table) -> &'static [(Scope, &'static str)] {
    match table {
        Table::Logs => &[(Scope::Log, columns::ATTRIBUTES)],
        Table::LogStreams => &[(Scope::Resource, columns::RESOURCE_ATTRIBUTES)],
        Table::Spans => {
            &[(Scope::Span, columns::ATTRIBUTES), (Scope::Resource, columns::RESOURCE_ATTRIBUTES)]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
