//! Indexes: those of all tenants, made when a tenant first stores something.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use parking_lot::Mutex;
use schemas::tables::Table;

use crate::{Budget, Error, ErrorKind, LabelIndex, TableBatch};

/// Most tenants of a lake: each has folders and segments of its own.
const TENANTS_MAX: usize = 10_000;

/// The label indexes of all tenants.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    /// What their memory is taken from; `None` in tests.
    budget: Option<Arc<Budget>>,
    pub(crate) series: Mutex<HashMap<Arc<str>, Arc<LabelIndex>>>,
    pub(crate) streams: Mutex<HashMap<Arc<str>, Arc<LabelIndex>>>,
}

impl Indexes {
    /// No index yet.
    pub(crate) fn within(budget: &Arc<Budget>) -> Self {
        Self { budget: Some(Arc::clone(budget)), ..Self::default() }
    }

    /// The series of a tenant; an index that nobody else sees if it has stored nothing, so that
    /// asking for tenants at random costs no memory.
    pub(crate) fn series(&self, tenant: &str) -> Arc<LabelIndex> {
        self.series.lock().get(tenant).cloned().unwrap_or_default()
    }

    /// The streams of a tenant, likewise.
    pub(crate) fn streams(&self, tenant: &str) -> Arc<LabelIndex> {
        self.streams.lock().get(tenant).cloned().unwrap_or_default()
    }

    /// Gives the rows of a series or stream table a place, unseen: what passes here does not
    /// collide with anything when it is absorbed.
    pub(crate) fn reserve(&self, tenant: &Arc<str>, batch: &TableBatch) -> Result<(), Error> {
        match self.of(tenant, batch.table)? {
            Some(index) => index.reserve(&batch.rows),
            None => Ok(()),
        }
    }

    /// Adds the rows of a series or stream table, and returns those that were not known for
    /// their day; of other tables all.
    pub(crate) fn absorb(
        &self,
        tenant: &Arc<str>,
        batch: &TableBatch,
    ) -> Result<RecordBatch, Error> {
        match self.of(tenant, batch.table)? {
            Some(index) => index.absorb_new(&batch.rows),
            None => Ok(batch.rows.clone()),
        }
    }

    /// Gives rows of a series or stream table a place that nobody sees.
    pub(crate) fn enter_unseen(
        &self,
        tenant: &Arc<str>,
        table: Table,
        rows: &RecordBatch,
    ) -> Result<(), Error> {
        match self.of(tenant, table)? {
            Some(index) => index.enter_unseen(rows),
            None => Ok(()),
        }
    }

    fn of(&self, tenant: &Arc<str>, table: Table) -> Result<Option<Arc<LabelIndex>>, Error> {
        let indexes = match table {
            Table::MetricSeries => &self.series,
            Table::LogStreams => &self.streams,
            _ => return Ok(None),
        };
        let mut indexes = indexes.lock();
        if indexes.len() >= TENANTS_MAX && !indexes.contains_key(tenant) {
            let message = format!("the lake has {TENANTS_MAX} tenants, the most it may");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let new = || Arc::new(self.budget.as_ref().map(LabelIndex::within).unwrap_or_default());
        Ok(Some(Arc::clone(indexes.entry(Arc::clone(tenant)).or_insert_with(new))))
    }
}
