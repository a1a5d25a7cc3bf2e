//! What compaction has done since the store was opened.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of compaction since the store was opened, and gauges of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionStats {
    /// Merges that were committed.
    pub merges: u64,
    /// Merges whose inputs another process had replaced: done in vain, harmless.
    pub conflicts: u64,
    /// Merges that failed and will be planned again.
    pub errors: u64,
    /// Segments that were merged.
    pub input_segments: u64,
    /// Their bytes.
    pub input_bytes: u64,
    /// Their rows.
    pub input_rows: u64,
    /// Bytes of the segments they became.
    pub output_bytes: u64,
    /// Rows of the segments they became.
    pub output_rows: u64,
    /// Rows left out because another tells the same.
    pub repeated_rows: u64,
    /// Rows left out because a delete request matches them.
    pub deleted_rows: u64,
    /// Nanoseconds spent in merges.
    pub merge_ns: u64,
    /// Segments that the last look found worth merging and that are not merged yet.
    pub backlog_segments: u64,
}

/// The counters behind [`CompactionStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) merges: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) input_segments: AtomicU64,
    pub(super) input_bytes: AtomicU64,
    pub(super) input_rows: AtomicU64,
    pub(super) output_bytes: AtomicU64,
    pub(super) output_rows: AtomicU64,
    pub(super) repeated_rows: AtomicU64,
    pub(super) deleted_rows: AtomicU64,
    pub(super) merge_ns: AtomicU64,
    pub(super) backlog_segments: AtomicU64,
    /// Set when the store closes: a merge that runs is given up.
    pub(super) stop: AtomicBool,
}

impl Counters {
    /// What they say now.
    pub(crate) fn stats(&self) -> CompactionStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CompactionStats {
            merges: load(&self.merges),
            conflicts: load(&self.conflicts),
            errors: load(&self.errors),
            input_segments: load(&self.input_segments),
            input_bytes: load(&self.input_bytes),
            input_rows: load(&self.input_rows),
            output_bytes: load(&self.output_bytes),
            output_rows: load(&self.output_rows),
            repeated_rows: load(&self.repeated_rows),
            deleted_rows: load(&self.deleted_rows),
            merge_ns: load(&self.merge_ns),
            backlog_segments: load(&self.backlog_segments),
        }
    }

    /// Gives up what runs; nothing new is begun.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::stop`] was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}
