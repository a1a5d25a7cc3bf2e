//! Publishing: the one place where the live set changes.
//!
//! ```text
//!  Change ─▶ log locked ─ commit ─▶ Deltas, in the order of the log ─▶ state locked:
//!                                                segments in and out, flushed rows out
//! ```
//!
//! The log stays locked until readers see what was committed, so they see commits in the log's
//! order, whoever made them. Rows leave a frozen memtable because the log says that the table
//! holds them, under the lock under which their segments appear: no reader finds a row twice or
//! not at all, even if the commit's answer was lost and another task read it from the log.

use std::sync::Arc;
use std::time::Instant;

use schemas::tables::{Promoted, Table, TableLayout};

use crate::catalog::{Catalog, Change, Committed, Delta, Locked};
use crate::identities::{self, identities_of};
use crate::live::LiveTable;
use crate::memtable::Rows;
use crate::store::{State, Store};
use crate::{Error, ErrorKind, Removed, Segments};

impl Store {
    /// Commits a change to a table and shows it to readers. When this returns `Ok`, the change
    /// is durable and every later snapshot holds it.
    ///
    /// `Conflict` if a segment to be removed is not live any more: nothing has changed then.
    pub(crate) async fn publish(&self, table: Table, change: &Change) -> Result<Committed, Error> {
        let counters = &self.shared.counters.catalog;
        let mut log = self.catalog(table)?.lock().await;
        let started = Instant::now();
        let committed = log.commit(change).await;
        counters.commit(&committed, started.elapsed());
        // Others' commits that were met on the way are shown even if ours did not come about.
        self.show(table, &mut log).await?;
        committed
    }

    /// Adds promoted columns to a table; segments that are begun when this has returned have
    /// them.
    pub(crate) async fn add_columns(&self, table: Table, new: &[Promoted]) -> Result<(), Error> {
        let mut log = self.catalog(table)?.lock().await;
        let added = log.add_columns(new).await;
        self.show(table, &mut log).await?;
        added
    }

    /// Shows what others have committed to a table since.
    pub(crate) async fn follow(&self, table: Table) -> Result<(), Error> {
        let mut log = self.catalog(table)?.lock().await;
        let tailed = log.tail().await;
        self.show(table, &mut log).await?;
        tailed.map(|_| ())
    }

    /// Shows what is in a log and was not shown yet; it stays there if that fails.
    pub(crate) async fn show(&self, table: Table, log: &mut Locked<'_>) -> Result<(), Error> {
        let _no_load;
        let others =
            || log.unpublished().iter().filter(|delta| !delta.is_ours && delta.has_new_rows);
        if others().next().is_some() {
            let added = others().flat_map(|delta| &delta.adds);
            // What is gone again was merged into what follows.
            let added: Vec<_> = added.filter(|segment| log.is_live(segment)).cloned().collect();
            // What is dropped stays so: whoever asks for it finds these segments.
            if self.any_dropped(table, &added) {
                _no_load = self.loading.lock().await;
            }
            let loaded: Vec<_> = added
                .into_iter()
                .filter(|segment| !self.shared.indexes.is_dropped(&segment.tenant))
                .collect();
            identities::load(&self.shared, table, &loaded, &self.objects).await?;
            if let Some(identities) = identities_of(table) {
                // A table's log is only ever locked before that of its labels.
                Box::pin(self.follow(identities)).await?;
            }
        }
        let others = log.unpublished().iter().filter(|delta| !delta.is_ours).count() as u64;
        let version = log.version().unwrap_or(0);
        let layout = log.layout();
        let deltas = log.take_unpublished();
        let merged: Vec<_> = deltas.iter().flat_map(|delta| delta.removes.clone()).collect();
        let mut state = self.shared.state.write();
        // Whoever sees a segment must know its columns.
        state.layouts.insert(table, layout);
        let gone: Vec<Rows> =
            deltas.into_iter().flat_map(|delta| state.apply(table, delta)).collect();
        drop(state);
        // Nobody waits for the lock while they are freed.
        drop(gone);
        self.shared.keepers.forget(&merged);
        self.shared.counters.catalog.shown(table, version, others);
        Ok(())
    }

    /// The live segments of a table, tenant by tenant, in the order of their names.
    pub fn live(&self, table: Table) -> Vec<(Arc<str>, Segments)> {
        let state = self.shared.state.read();
        let live = state.segments.get(&table).into_iter().flat_map(LiveTable::tenants);
        let mut live: Vec<_> =
            live.map(|(tenant, of_tenant)| (Arc::clone(tenant), of_tenant.clone())).collect();
        live.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        live
    }

    /// The objects of a table that are not live any more, but may still be there, in no order.
    pub async fn removed(&self, table: Table) -> Result<Vec<Removed>, Error> {
        Ok(self.catalog(table)?.lock().await.removed().cloned().collect())
    }

    /// The number of a table's newest commit as far as this process knows; `None` if there is
    /// none.
    pub async fn version(&self, table: Table) -> Result<Option<u64>, Error> {
        Ok(self.catalog(table)?.lock().await.version())
    }

    /// The columns of a table as readers are shown them.
    pub fn layout(&self, table: Table) -> Arc<TableLayout> {
        let known = self.shared.state.read().layouts.get(&table).cloned();
        known.unwrap_or_else(|| Arc::clone(TableLayout::starting(table)))
    }

    /// The catalog of a table.
    pub(crate) fn catalog(&self, table: Table) -> Result<&Catalog, Error> {
        self.catalogs.tables.get(&table).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("no catalog of {}", table.name()))
        })
    }
}

impl State {
    /// Takes over a commit; returns the rows of memtables that segments hold now.
    fn apply(&mut self, table: Table, delta: Delta) -> Vec<Rows> {
        let live = self.segments.entry(table).or_default();
        for segment in &delta.removes {
            live.remove(segment);
        }
        live.extend(delta.adds);
        let Some(applied) = delta.applied else { return Vec::new() };
        let mut gone = Vec::new();
        for frozen in &mut self.frozen {
            if frozen.sequences.1 <= applied {
                gone.extend(frozen.rows.remove(table));
            }
        }
        gone
    }
}
