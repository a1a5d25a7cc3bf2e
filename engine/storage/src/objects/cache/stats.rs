//! What the cache of blocks did.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of the cache of blocks since the lake was opened, and gauges of now. All are 0 where
/// the lake is on a local disk, which is not cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Blocks found in memory.
    pub memory_hits: u64,
    /// Blocks found on the local disk.
    pub disk_hits: u64,
    /// Blocks that another reader was just fetching.
    pub shared: u64,
    /// Blocks fetched from the object store.
    pub misses: u64,
    /// Bytes now held in memory.
    pub memory_bytes: u64,
    /// Bytes now held on the local disk.
    pub disk_bytes: u64,
    /// Blocks dropped from memory for others.
    pub memory_evictions: u64,
    /// Blocks removed from the local disk for others.
    pub disk_evictions: u64,
    /// Blocks that were not written to the local disk, because it was full or slow.
    pub skipped: u64,
    /// Blocks on the local disk that were damaged and were fetched again.
    pub damaged: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Meter {
    memory_hits: AtomicU64,
    disk_hits: AtomicU64,
    shared: AtomicU64,
    misses: AtomicU64,
    memory_evictions: AtomicU64,
    disk_evictions: AtomicU64,
    skipped: AtomicU64,
    damaged: AtomicU64,
}

impl Meter {
    pub(super) fn memory_hits(&self, blocks: usize) {
        self.memory_hits.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    pub(super) fn disk_hits(&self, blocks: usize) {
        self.disk_hits.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    pub(super) fn shared(&self, blocks: usize) {
        self.shared.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    pub(super) fn misses(&self, blocks: usize) {
        self.misses.fetch_add(blocks as u64, Ordering::Relaxed);
    }

    pub(super) fn evicted_from_memory(&self) {
        self.memory_evictions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn evicted_from_disk(&self) {
        self.disk_evictions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn damaged(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters of now, with the gauges `memory_bytes` and `disk_bytes`.
    pub(super) fn read(&self, memory_bytes: u64, disk_bytes: u64) -> CacheStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            memory_hits: load(&self.memory_hits),
            disk_hits: load(&self.disk_hits),
            shared: load(&self.shared),
            misses: load(&self.misses),
            memory_bytes,
            disk_bytes,
            memory_evictions: load(&self.memory_evictions),
            disk_evictions: load(&self.disk_evictions),
            skipped: load(&self.skipped),
            damaged: load(&self.damaged),
        }
    }
}
