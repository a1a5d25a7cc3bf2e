//! Choosing: what is flushed is looked at, and what is frequent gets columns.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use schemas::tables::{Promoted, Table, TableLayout};

use super::sketch::Sketch;
use crate::PromotionOptions;
use crate::memtable::Memtable;
use crate::store::{Shared, Store};

/// Tables whose attributes may get columns. Streams are held in memory as an index; columns of
/// theirs would make nothing faster.
const TABLES: [Table; 2] = [Table::Logs, Table::Spans];

/// What is known of attributes without a column, since the last choice.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    sketches: Mutex<HashMap<Table, Sketch>>,
    /// Columns that were chosen and could not be committed.
    pub(crate) failures: AtomicU64,
}

impl Choices {
    /// Looks at rows that were flushed; the attributes that shall get columns now.
    fn observe(
        &self,
        table: Table,
        rows: &Memtable,
        layout: &TableLayout,
        options: &PromotionOptions,
    ) -> Vec<Promoted> {
        let mut sketches = self.sketches.lock();
        let sketch = sketches.entry(table).or_default();
        for (_, batches) in rows.tenants(table) {
            for (_, batch) in &batches {
                sketch.observe(batch, layout);
            }
        }
        sketch.choose(layout, options)
    }
}

/// Looks at the rows of a table that were flushed, and adds columns if some are due. What fails
/// is tried again with the next choice.
pub(crate) async fn promote_frequent(store: &Store, table: Table, flushed: Memtable) {
    let options = store.options.promotion.clone();
    let layout = store.layout(table);
    let is_full = layout.promoted().len() >= options.columns_max;
    if !TABLES.contains(&table) || is_full {
        return;
    }
    let shared: Arc<Shared> = Arc::clone(&store.shared);
    let chosen = tokio::task::spawn_blocking(move || {
        shared.promotion.observe(table, &flushed, &layout, &options)
    });
    let chosen = chosen.await.unwrap_or_default();
    if chosen.is_empty() {
        return;
    }
    let names: Vec<&str> = chosen.iter().map(|of| of.column.as_ref()).collect();
    match store.add_columns(table, &chosen).await {
        Ok(()) => tracing::info!(table = table.name(), ?names, "frequent attributes get columns"),
        Err(error) => {
            store.shared.promotion.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(table = table.name(), %error, "columns could not be added");
        }
    }
}
