//! Memtables: rows that are acknowledged, but not yet in segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use schemas::tables::Table;

use crate::{Error, ErrorKind, TableBatch};

/// Batches smaller than this are joined, so that readers and flushes meet few of them.
const JOINED_ROWS: usize = 8_192;

/// Rows of all tables and tenants between two freezes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memtable {
    tables: BTreeMap<(Arc<str>, Table), Rows>,
    /// Memory of all rows, in bytes, as Arrow counts it.
    pub(crate) bytes: usize,
}

/// Rows of one table and tenant, in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    joined: Vec<RecordBatch>,
    small: Vec<RecordBatch>,
    small_rows: usize,
}

impl Memtable {
    /// Adds rows behind all others of their table.
    pub(crate) fn add(&mut self, tenant: &Arc<str>, batch: &TableBatch) -> Result<(), Error> {
        if batch.rows.num_rows() == 0 {
            return Ok(());
        }
        check(batch)?;
        self.bytes += batch.rows.get_array_memory_size();
        let rows = self.tables.entry((Arc::clone(tenant), batch.table)).or_default();
        rows.add(batch.rows.clone())
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The batches of a table for a tenant, in order of arrival.
    pub(crate) fn batches(&self, tenant: &str, table: Table) -> Vec<RecordBatch> {
        self.tables
            .iter()
            .filter(|((owner, of), _)| owner.as_ref() == tenant && *of == table)
            .flat_map(|(_, rows)| rows.batches())
            .collect()
    }

    /// The rows of a table, tenant by tenant.
    pub(crate) fn tenants(
        &self,
        table: Table,
    ) -> impl Iterator<Item = (&Arc<str>, Vec<RecordBatch>)> {
        self.tables
            .iter()
            .filter(move |((_, of), _)| *of == table)
            .map(|((tenant, _), rows)| (tenant, rows.batches()))
    }

    /// Forgets the rows of a table, which are in segments now.
    pub(crate) fn remove(&mut self, table: Table) {
        self.tables.retain(|(_, of), _| *of != table);
    }
}

/// Whether the rows have their table's schema.
pub(crate) fn check(batch: &TableBatch) -> Result<(), Error> {
    if batch.rows.schema_ref().fields() != batch.table.schema().fields() {
        let message = format!("rows of {} have another schema", batch.table.name());
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(())
}

impl Rows {
    fn add(&mut self, rows: RecordBatch) -> Result<(), Error> {
        if rows.num_rows() >= JOINED_ROWS {
            self.join()?;
            self.joined.push(rows);
            return Ok(());
        }
        self.small_rows += rows.num_rows();
        self.small.push(rows);
        if self.small_rows >= JOINED_ROWS { self.join() } else { Ok(()) }
    }

    fn join(&mut self) -> Result<(), Error> {
        if let Some(first) = self.small.first() {
            let joined = concat_batches(&first.schema(), &self.small).map_err(|error| {
                Error::with_source(ErrorKind::Internal, "batches cannot be joined", error)
            })?;
            self.joined.push(joined);
            self.small.clear();
            self.small_rows = 0;
        }
        Ok(())
    }

    fn batches(&self) -> Vec<RecordBatch> {
        self.joined.iter().chain(&self.small).cloned().collect()
    }
}
