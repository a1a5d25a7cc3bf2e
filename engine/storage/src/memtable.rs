//! Memtables: rows that are acknowledged, but not yet in segments.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, AsArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use schemas::tables::Table;

use crate::absent::{absent, held_bytes, is_absent};
use crate::{Error, ErrorKind, TableBatch};

/// Rows that lift a batch into the next tier. Batches of the last tier are left alone; many of a
/// lower one become one of the next, so readers meet few and a row is copied three times at most.
const TIER_ROWS: [usize; 3] = [32, 256, 2048];

/// Batches of so many rows are not worth the copy.
const SHRUNK_ROWS: usize = 256;

/// Small batches in a row that are joined.
const JOINED_BATCHES: usize = 8;

/// Rows of all tables and tenants between two freezes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memtable {
    tables: BTreeMap<(Arc<str>, Table), Rows>,
    since: BTreeMap<Arc<str>, Since>,
    /// Memory of all rows, in bytes, as Arrow counts it.
    pub(crate) bytes: usize,
}

/// Since when a tenant has rows in a memtable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    /// The sequence number of the first request it has rows of.
    pub(crate) sequence: u64,
    /// When that came, or was replayed.
    pub(crate) at: Instant,
}

/// What a memtable holds of one tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Since when.
    pub(crate) since: Since,
    /// Memory of the rows, in bytes.
    pub(crate) bytes: usize,
}

/// Rows that arrived one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Whose they are.
    pub(crate) tenant: Arc<str>,
    /// The rows.
    pub(crate) batch: TableBatch,
    /// The newest delete request that does not cover them.
    pub(crate) seen: u64,
}

/// Rows of one table and tenant, in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    batches: Vec<Batch>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Batch {
    rows: RecordBatch,
    bytes: usize,
    tier: usize,
    /// The newest delete request that does not cover the rows.
    seen: u64,
}

impl Memtable {
    /// Adds rows behind all others of their table. Delete requests up to the number `seen` do not
    /// cover them.
    pub(crate) fn add(
        &mut self,
        tenant: &Arc<str>,
        batch: &TableBatch,
        seen: u64,
    ) -> Result<(), Error> {
        if batch.rows.num_rows() == 0 {
            return Ok(());
        }
        check(batch)?;
        let rows = self.tables.entry((Arc::clone(tenant), batch.table)).or_default();
        let before = rows.bytes;
        let added = rows.add(batch.rows.clone(), held_bytes(&batch.rows), seen);
        self.bytes = self.bytes - before + rows.bytes;
        added
    }

    /// Notes that the rows which a tenant has from now on came with a request of this number, or
    /// later ones. Nothing changes if it has some already.
    pub(crate) fn note(&mut self, tenant: &Arc<str>, since: Since) {
        if !self.since.contains_key(tenant) {
            self.since.insert(Arc::clone(tenant), since);
        }
    }

    /// What each tenant has here, in the order of their names.
    pub(crate) fn held(&self) -> BTreeMap<Arc<str>, Held> {
        let mut held: BTreeMap<Arc<str>, Held> = BTreeMap::new();
        for ((tenant, _), rows) in &self.tables {
            // Whoever has rows is noted.
            let Some(since) = self.since.get(tenant) else { continue };
            let of_tenant = Held { since: *since, bytes: 0 };
            held.entry(Arc::clone(tenant)).or_insert(of_tenant).bytes += rows.bytes;
        }
        held
    }

    /// Whether a tenant has rows here.
    pub(crate) fn holds(&self, tenant: &Arc<str>) -> bool {
        Table::ALL.iter().any(|table| self.tables.contains_key(&(Arc::clone(tenant), *table)))
    }

    /// The rows of some tenants, by tenant and table.
    pub(crate) fn runs(&self, of: &HashSet<Arc<str>>) -> Vec<Run> {
        let of_tenants = self.tables.iter().filter(|((tenant, _), _)| of.contains(tenant));
        let runs = of_tenants.flat_map(|((tenant, table), rows)| {
            rows.batches().map(|(seen, rows)| {
                let batch = TableBatch { table: *table, rows };
                Run { tenant: Arc::clone(tenant), batch, seen }
            })
        });
        runs.collect()
    }

    /// Takes the rows of some tenants out.
    pub(crate) fn split_off(&mut self, of: &HashSet<Arc<str>>) -> Self {
        let (taken, left) =
            std::mem::take(&mut self.tables).into_iter().partition(|((it, _), _)| of.contains(it));
        self.tables = left;
        let (since, left) =
            std::mem::take(&mut self.since).into_iter().partition(|(it, _)| of.contains(it));
        self.since = left;
        self.count();
        let mut taken = Self { tables: taken, since, bytes: 0 };
        taken.count();
        taken
    }

    fn count(&mut self) {
        self.bytes = self.tables.values().map(|rows| rows.bytes).sum();
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The batches of a table for a tenant, in order of arrival, each with the newest delete
    /// request that does not cover it.
    pub(crate) fn batches(&self, tenant: &str, table: Table) -> Vec<(u64, RecordBatch)> {
        let rows = self.tables.get(&(Arc::from(tenant), table));
        rows.into_iter().flat_map(Rows::batches).collect()
    }

    /// The rows of a table, tenant by tenant, as [`Self::batches`] tells them.
    pub(crate) fn tenants(
        &self,
        table: Table,
    ) -> impl Iterator<Item = (&Arc<str>, Vec<(u64, RecordBatch)>)> {
        self.tables
            .iter()
            .filter(move |((_, of), _)| *of == table)
            .map(|((tenant, _), rows)| (tenant, rows.batches().collect()))
    }

    /// Takes out the rows of a table, which are in segments now. Freeing them takes a while, which
    /// is the caller's to choose.
    #[must_use = "they are better freed when nobody waits"]
    pub(crate) fn remove(&mut self, table: Table) -> Vec<Rows> {
        let gone = self.tables.extract_if(.., |(_, of), _| *of == table);
        let gone = gone.map(|(_, rows)| rows).collect();
        self.count();
        gone
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

/// Gives back what builders have reserved beyond a few rows: a tenant that sends little would
/// otherwise take ten times what its rows do. Does nothing for what somebody else holds, too.
pub(crate) fn shrink(rows: RecordBatch) -> RecordBatch {
    if rows.num_rows() >= SHRUNK_ROWS {
        return rows;
    }
    let (schema, mut columns, count) = rows.into_parts();
    for column in &mut columns {
        if let Some(dictionary) = column.as_any_dictionary_opt() {
            // Its values are shared with the builder's leftovers: copied, they are alone.
            let values = dictionary.values();
            let all = UInt64Array::from_iter_values(0..values.len() as u64);
            if let Ok(mut values) = take(values.as_ref(), &all, None) {
                Array::shrink_to_fit(&mut values);
                *column = dictionary.with_values(values);
            }
        }
        Array::shrink_to_fit(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .expect("the columns are those of a batch")
}

impl Rows {
    /// Adds rows of `bytes` and joins the small batches at the end if there are many.
    fn add(&mut self, rows: RecordBatch, bytes: usize, seen: u64) -> Result<(), Error> {
        self.bytes += bytes;
        self.batches.push(Batch { tier: tier_of(rows.num_rows()), rows, bytes, seen });
        for tier in 0..TIER_ROWS.len() {
            let run = self
                .batches
                .iter()
                .rev()
                .take_while(|batch| batch.tier <= tier && batch.seen == seen);
            // Lower ones go along, but do not count: a batch would climb by what is too small.
            if run.clone().filter(|batch| batch.tier == tier).count() >= JOINED_BATCHES {
                let at = self.batches.len() - run.count();
                self.join(at, tier + 1)?;
            }
        }
        Ok(())
    }

    /// Makes one batch, of `tier` at least, of all batches from `at` on.
    fn join(&mut self, at: usize, tier: usize) -> Result<(), Error> {
        let run = self.batches[at..].iter();
        let (schema, old_bytes) =
            (self.batches[at].rows.schema(), run.clone().map(|batch| batch.bytes).sum::<usize>());
        let rows = run.map(|batch| &batch.rows).collect::<Vec<_>>();
        let rows = concat(&schema, &rows).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "batches cannot be joined", error)
        })?;
        // What builders had reserved beyond the rows is given back here.
        let rows = shrink(rows);
        let bytes = held_bytes(&rows);
        let tier = tier.max(tier_of(rows.num_rows()));
        let seen = self.batches[at].seen;
        self.batches.truncate(at);
        self.batches.push(Batch { rows, bytes, tier, seen });
        self.bytes = self.bytes - old_bytes + bytes;
        Ok(())
    }

    fn batches(&self) -> impl Iterator<Item = (u64, RecordBatch)> {
        self.batches.iter().map(|batch| (batch.seen, batch.rows.clone()))
    }
}

/// One batch of several; columns without a value stay without memory.
fn concat(schema: &SchemaRef, batches: &[&RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let rows = batches.iter().map(|batch| batch.num_rows()).sum();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let parts: Vec<&dyn Array> =
            batches.iter().map(|batch| batch.column(at).as_ref()).collect();
        if field.data_type().is_primitive() && parts.iter().all(|part| is_absent(*part)) {
            return Ok(absent(field.data_type(), rows));
        }
        arrow::compute::concat(&parts)
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

fn tier_of(rows: usize) -> usize {
    TIER_ROWS.iter().filter(|least| rows >= **least).count()
}

#[cfg(test)]
mod tests;
