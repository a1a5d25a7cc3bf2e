//! Figures: what a store has done and what it holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::catalog::CatalogStats;
use crate::compact::CompactionStats;
use crate::store::Store;
use crate::{BudgetStats, CacheStats, LabelIndex, ObjectStats};

/// Counters since the store was opened, and gauges of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Bytes appended to the WAL.
    pub wal_bytes: u64,
    /// Times the WAL was synced.
    pub wal_syncs: u64,
    /// Nanoseconds spent in syncing the WAL.
    pub wal_sync_ns: u64,
    /// Groups of requests that could not be written to the WAL and were refused.
    pub wal_errors: u64,
    /// Requests that would be recognised if they came again.
    pub known_requests: u64,
    /// Bytes now in memtables, active and being flushed.
    pub memtable_bytes: u64,
    /// Rows appended, by table in the order of `Table::ALL`.
    pub rows: [u64; 7],
    /// Flushes done.
    pub flushes: u64,
    /// Nanoseconds spent in flushes.
    pub flush_ns: u64,
    /// Flushes that failed and will be tried again.
    pub flush_errors: u64,
    /// Bytes of the segments that flushes have written. With the bytes that compaction has
    /// written it tells how often a byte is written: the write amplification.
    pub flushed_bytes: u64,
    /// What compaction has done.
    pub compaction: CompactionStats,
    /// Live segments, all tables.
    pub segments: u64,
    /// Bytes of live segments.
    pub segment_bytes: u64,
    /// Series now in the index.
    pub series: u64,
    /// Streams now in the index.
    pub streams: u64,
    /// What was asked of the object store, or of the disk in its place.
    pub objects: ObjectStats,
    /// What the cache of segments' blocks did.
    pub cache: CacheStats,
    /// The memory budget.
    pub budget: BudgetStats,
    /// The tables' logs.
    pub catalog: CatalogStats,
}

/// Tenants whose usage is told; those with the most bytes.
const TENANTS_TOLD: usize = 100;

/// What one tenant takes now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantUsage {
    /// The tenant.
    pub tenant: Arc<str>,
    /// Its live segments, all tables.
    pub segments: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Memory of its rows that are not in segments yet, in bytes.
    pub memtable_bytes: u64,
    /// Series in its index; 0 while that is dropped.
    pub series: u64,
    /// Streams in its index; 0 while that is dropped.
    pub streams: u64,
}

impl Store {
    /// What the tenants take that have the most bytes, sorted by name; at most a hundred.
    pub fn usage(&self) -> Vec<TenantUsage> {
        let mut live = Vec::new();
        let mut usage: HashMap<Arc<str>, TenantUsage> = HashMap::new();
        {
            let state = self.shared.state.read();
            for of_table in state.segments.values() {
                let segments = of_table.tenants();
                live.extend(segments.map(|(tenant, of)| (Arc::clone(tenant), of.clone())));
            }
            let frozen = state.frozen.iter().map(|frozen| &frozen.rows);
            for rows in frozen.chain([&state.active]) {
                for (tenant, held) in rows.held() {
                    usage.entry(tenant).or_default().memtable_bytes += held.bytes as u64;
                }
            }
        }
        for (tenant, segments) in live {
            let of_tenant = usage.entry(tenant).or_default();
            of_tenant.segments += segments.len() as u64;
            of_tenant.segment_bytes += segments.iter().map(|it| it.bytes).sum::<u64>();
        }
        let mut told: Vec<_> = usage.into_iter().collect();
        let bytes = |of: &TenantUsage| of.segment_bytes + of.memtable_bytes;
        told.sort_by(|a, b| bytes(&b.1).cmp(&bytes(&a.1)).then_with(|| a.0.cmp(&b.0)));
        told.truncate(TENANTS_TOLD);
        told.sort_by(|a, b| a.0.cmp(&b.0));
        let told = told.into_iter().map(|(tenant, usage)| {
            let (series, streams) = (self.series(&tenant).len(), self.streams(&tenant).len());
            TenantUsage { tenant, series: series as u64, streams: streams as u64, ..usage }
        });
        told.collect()
    }

    /// Counters and gauges.
    pub fn stats(&self) -> StoreStats {
        let counters = &self.shared.counters;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.shared.state.read();
        let count = |indexes: &Mutex<HashMap<Arc<str>, Arc<LabelIndex>>>| {
            indexes.lock().values().map(|index| index.len() as u64).sum()
        };
        StoreStats {
            wal_bytes: load(&counters.wal_bytes),
            wal_syncs: load(&counters.wal_syncs),
            wal_sync_ns: load(&counters.wal_sync_ns),
            wal_errors: load(&counters.wal_errors),
            known_requests: self.shared.dedup.len() as u64,
            memtable_bytes: state.memtable_bytes() as u64,
            rows: std::array::from_fn(|at| load(&counters.rows[at])),
            flushes: load(&counters.flushes),
            flush_ns: load(&counters.flush_ns),
            flush_errors: load(&counters.flush_errors),
            flushed_bytes: load(&counters.flushed_bytes),
            compaction: counters.compaction.stats(),
            segments: state.segments.values().map(|live| live.segments).sum(),
            segment_bytes: state.segments.values().map(|live| live.bytes).sum(),
            series: count(&self.shared.indexes.series),
            streams: count(&self.shared.indexes.streams),
            objects: self.objects.stats(),
            cache: self.objects.cache_stats(),
            budget: self.options.budget.stats(),
            catalog: counters.catalog.stats(),
        }
    }
}
