//! Idle tenants: their label indexes are dropped from memory, and loaded when they are asked for.
//!
//! ```text
//!  asked ─▶ ready ─ dropped? ─▶ series and stream segments ─▶ index      one load at a time
//!  not asked for index_idle_max ─▶ no rows in memtables, nobody holds it ─▶ dropped
//! ```
//!
//! An index is made of the rows of the series and stream tables; once these are all in segments it
//! can be made again. So only indexes of tenants without buffered rows are dropped, and whoever
//! reads or writes an index calls [`Store::ready`] before. Tenants whose rows are hidden by labels
//! (delete requests, retention by stream) keep theirs: background work asks them, too.
//!
//! A commit of another process that brings labels of a tenant whose index is dropped is shown
//! while no load runs: the load that comes later finds its segments.

use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use schemas::model::Signal;
use schemas::tables::Table;

use crate::store::Store;
use crate::{Error, Segment, identities};

/// How often idle tenants are looked for, at most.
const TICK: Duration = Duration::from_secs(60);

/// The tables whose rows are in the indexes.
const TABLES: [Table; 2] = [Table::MetricSeries, Table::LogStreams];

/// Drops indexes of idle tenants as long as the store lives.
pub(crate) async fn run(store: Weak<Store>) {
    loop {
        let Some(alive) = store.upgrade() else { return };
        let idle_max = alive.options.index_idle_max;
        drop(alive);
        if idle_max.is_zero() {
            return;
        }
        tokio::time::sleep(TICK.min(idle_max)).await;
        let Some(alive) = store.upgrade() else { return };
        let dropped = alive.drop_idle_indexes();
        if dropped > 0 {
            tracing::debug!(dropped, "dropped the label indexes of idle tenants");
        }
    }
}

impl Store {
    /// Makes sure that the indexes of a tenant hold what its tables hold: those of a tenant that
    /// was idle are loaded first. To be called before its indexes or a snapshot are asked for.
    ///
    /// `Unavailable` if the segments cannot be read now.
    pub async fn ready(&self, tenant: &str) -> Result<(), Error> {
        let indexes = &self.shared.indexes;
        if !indexes.touch(tenant, self.shared.now()) {
            return Ok(());
        }
        let _loading = self.loading.lock().await;
        if !indexes.touch(tenant, self.shared.now()) {
            return Ok(());
        }
        for table in TABLES {
            let live = {
                let state = self.shared.state.read();
                state.segments.get(&table).map(|live| live.tenant(tenant)).unwrap_or_default()
            };
            let segments: Vec<Arc<Segment>> = live.iter().map(Arc::clone).collect();
            identities::load(&self.shared, table, &segments, &self.objects).await?;
        }
        indexes.loaded(tenant);
        Ok(())
    }

    /// Drops the indexes of tenants that nobody has asked for in a while; how many.
    pub(crate) fn drop_idle_indexes(&self) -> usize {
        // While one is loaded none is dropped: it would be loaded in part.
        let Ok(_loading) = self.loading.try_lock() else { return 0 };
        let idle = self.shared.indexes.idle(self.shared.now(), self.options.index_idle_max);
        idle.iter().filter(|tenant| self.is_droppable(tenant) && self.drop_index(tenant)).count()
    }

    fn is_droppable(&self, tenant: &Arc<str>) -> bool {
        let state = self.shared.state.read();
        let concerned = |signal| {
            let is_concerned = state.deletes.iter().any(|it| it.concerns(tenant, signal));
            is_concerned || self.shared.policy.knows_labels(tenant, signal)
        };
        !(concerned(Signal::Metrics) || concerned(Signal::Logs))
    }

    /// Drops an index unless its tenant has rows that are not in segments yet, or came back.
    fn drop_index(&self, tenant: &Arc<str>) -> bool {
        // Nothing enters a memtable meanwhile.
        let state = self.shared.state.write();
        let is_buffered = state.active.holds(tenant)
            || state.frozen.iter().any(|frozen| frozen.rows.holds(tenant));
        !is_buffered
            && self.shared.indexes.drop_of(tenant, self.shared.now(), self.options.index_idle_max)
    }

    /// Whether labels among these segments belong to a tenant whose index is dropped.
    pub(crate) fn any_dropped(&self, table: Table, segments: &[Arc<Segment>]) -> bool {
        identities::are_identities(table)
            && segments.iter().any(|segment| self.shared.indexes.is_dropped(&segment.tenant))
    }
}
