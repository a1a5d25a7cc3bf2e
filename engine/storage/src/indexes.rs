//! Indexes: those of all tenants, made when a tenant first stores something.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    usage: Mutex<Usage>,
}

/// Who was asked for when.
#[derive(Debug, Default)]
struct Usage {
    /// When tenants that have indexes were last asked for.
    used: HashMap<Arc<str>, Instant>,
    /// Tenants whose indexes are to be loaded before they are asked.
    dropped: HashSet<Arc<str>>,
}

/// Indexes of a tenant that are not dropped meanwhile.
pub(crate) type HeldIndexes = [Option<Arc<LabelIndex>>; 2];

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

    /// The indexes that a tenant has, so that they stay.
    pub(crate) fn hold(&self, tenant: &str) -> HeldIndexes {
        [&self.series, &self.streams].map(|indexes| indexes.lock().get(tenant).cloned())
    }

    /// Notes that a tenant is asked for; whether its indexes have to be loaded first.
    pub(crate) fn touch(&self, tenant: &str, now: Instant) -> bool {
        let mut usage = self.usage.lock();
        if let Some(used) = usage.used.get_mut(tenant) {
            *used = now;
        }
        usage.dropped.contains(tenant)
    }

    /// The indexes of a tenant hold everything again.
    pub(crate) fn loaded(&self, tenant: &str) {
        self.usage.lock().dropped.remove(tenant);
    }

    /// Whether the indexes of a tenant have to be loaded before they are asked.
    pub(crate) fn is_dropped(&self, tenant: &str) -> bool {
        self.usage.lock().dropped.contains(tenant)
    }

    /// Tenants that nobody has asked for since `idle_max`. Those that were never looked at count
    /// from now on.
    pub(crate) fn idle(&self, now: Instant, idle_max: Duration) -> Vec<Arc<str>> {
        let mut tenants: HashSet<Arc<str>> = self.series.lock().keys().cloned().collect();
        tenants.extend(self.streams.lock().keys().cloned());
        let mut usage = self.usage.lock();
        usage.used.retain(|tenant, _| tenants.contains(tenant));
        let mut idle = Vec::new();
        for tenant in tenants {
            let used = *usage.used.entry(Arc::clone(&tenant)).or_insert(now);
            if now.saturating_duration_since(used) >= idle_max {
                idle.push(tenant);
            }
        }
        idle
    }

    /// Drops the indexes of a tenant, unless somebody holds or has just asked for them.
    pub(crate) fn drop_of(&self, tenant: &Arc<str>, now: Instant, idle_max: Duration) -> bool {
        let (mut series, mut streams) = (self.series.lock(), self.streams.lock());
        let mut usage = self.usage.lock();
        let used = usage.used.get(tenant).copied().unwrap_or(now);
        let is_held = [&*series, &*streams]
            .into_iter()
            .any(|indexes| indexes.get(tenant).is_some_and(|index| Arc::strong_count(index) > 1));
        if is_held || now.saturating_duration_since(used) < idle_max {
            return false;
        }
        usage.used.remove(tenant);
        usage.dropped.insert(Arc::clone(tenant));
        series.remove(tenant);
        streams.remove(tenant);
        true
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
        let is_new = !indexes.contains_key(tenant);
        if is_new && indexes.len() + self.usage.lock().dropped.len() >= TENANTS_MAX {
            let message = format!("the lake has {TENANTS_MAX} tenants, the most it may");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let new = || Arc::new(self.budget.as_ref().map(LabelIndex::within).unwrap_or_default());
        Ok(Some(Arc::clone(indexes.entry(Arc::clone(tenant)).or_insert_with(new))))
    }
}
