//! What the logs cost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemas::tables::Table;

use super::change::Committed;
use crate::{Error, ErrorKind};

/// Upper bounds of the buckets of commit times, in milliseconds; one more bucket has no bound.
const COMMIT_BOUNDS_MS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 500, 2000];

/// Counters since the store was opened, and gauges of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogStats {
    /// Number of each table's newest commit that this process knows, in the order of
    /// `Table::ALL`; 0 for a table without commits.
    pub versions: [u64; 7],
    /// Commits made.
    pub commits: u64,
    /// Nanoseconds spent in commits.
    pub commit_ns: u64,
    /// Commits that took up to so many milliseconds: bound and number, not summed up; the last
    /// bound is `u64::MAX`.
    pub commit_times: [(u64, u64); 10],
    /// Changes that were refused because what they remove was gone.
    pub conflicts: u64,
    /// Commits of other processes that were taken in.
    pub others: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Nanoseconds spent in writing checkpoints.
    pub checkpoint_ns: u64,
    /// Attempts to follow the logs or to keep them short that failed.
    pub errors: u64,
}

/// The same, as it is counted.
#[derive(Debug, Default)]
pub(crate) struct CatalogCounters {
    versions: [AtomicU64; 7],
    commits: AtomicU64,
    commit_ns: AtomicU64,
    commit_times: [AtomicU64; 10],
    conflicts: AtomicU64,
    others: AtomicU64,
    checkpoints: AtomicU64,
    checkpoint_ns: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl CatalogCounters {
    /// A commit was tried.
    pub(crate) fn commit(&self, committed: &Result<Committed, Error>, took: Duration) {
        match committed {
            Ok(_) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                self.commit_ns.fetch_add(nanos(took), Ordering::Relaxed);
                let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                let at = COMMIT_BOUNDS_MS.partition_point(|bound| *bound <= ms);
                self.commit_times[at].fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {}
        }
    }

    /// Readers see a table up to `version`; `others` commits of other processes were new.
    pub(crate) fn shown(&self, table: Table, version: u64, others: u64) {
        self.others.fetch_add(others, Ordering::Relaxed);
        if let Some(at) = Table::ALL.iter().position(|other| *other == table) {
            self.versions[at].store(version, Ordering::Relaxed);
        }
    }

    /// A checkpoint was written.
    pub(crate) fn checkpoint(&self, took: Duration) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.checkpoint_ns.fetch_add(nanos(took), Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> CatalogStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CatalogStats {
            versions: self.versions.each_ref().map(load),
            commits: load(&self.commits),
            commit_ns: load(&self.commit_ns),
            commit_times: std::array::from_fn(|at| {
                let bound = COMMIT_BOUNDS_MS.get(at).copied().unwrap_or(u64::MAX);
                (bound, load(&self.commit_times[at]))
            }),
            conflicts: load(&self.conflicts),
            others: load(&self.others),
            checkpoints: load(&self.checkpoints),
            checkpoint_ns: load(&self.checkpoint_ns),
            errors: load(&self.errors),
        }
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
