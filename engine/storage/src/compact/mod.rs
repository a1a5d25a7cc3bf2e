//! Compaction: many small segments become few large ones, while everything is read and written.
//!
//! ```text
//!  live segments ─ plan ─▶ Merge ─ job ─▶ new segment ─▶ one commit: it is in, the inputs out
//!                                           │                  │
//!                  crash: an orphan, swept ◀┘                  └▶ conflict: given up, harmless
//! ```
//!
//! Rows change hands in one commit, so no reader ever finds one twice or not at all. Objects that
//! were merged stay for as long as a query may read them. Whoever has the lake open may compact
//! it: of two processes that merge the same segments the second one's commit is refused.
//!
//! Reading order: `plan`, `job`, `merge`, `repeats`, `input`, `chunks`.

mod chunks;
mod input;
mod job;
mod merge;
mod options;
mod plan;
mod repeats;
mod rewrite;
mod stats;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use schemas::tables::Table;

pub(crate) use self::input::{failed, reader};
use self::plan::Merge;
pub(crate) use self::stats::Counters;
use self::stats::add;
use crate::clock::now_ms;
use crate::{Error, ErrorKind, Operation, Segment, Segments, Store};

pub use self::options::CompactionOptions;
pub use self::stats::CompactionStats;

/// Longest wait between two attempts after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(600);

/// What one look at the lake has merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Merges that were committed.
    pub merges: usize,
    /// Segments that they replaced.
    pub segments: usize,
}

/// Compacts every now and then, as long as the store lives.
pub(crate) async fn run(store: Weak<Store>) {
    let mut failures = 0;
    loop {
        let Some(alive) = store.upgrade() else { return };
        let options = &alive.options.compaction;
        if !options.enabled {
            return;
        }
        let wait = (options.interval * 2_u32.saturating_pow(failures)).min(BACKOFF_MAX);
        let wait = wait.max(options.interval);
        drop(alive);
        tokio::time::sleep(wait).await;
        let Some(alive) = store.upgrade() else { return };
        match alive.compact_once().await {
            Ok(_) => failures = 0,
            Err(error) => {
                failures = (failures + 1).min(16);
                tracing::warn!(%error, "compaction failed; it will be tried again");
            }
        }
    }
}

impl Store {
    /// Looks once at all tables and does the merges that are worth it now, one after the other.
    ///
    /// A merge that fails does not keep others from being done; the first error is returned.
    pub async fn compact_once(&self) -> Result<Compacted, Error> {
        let _one_at_a_time = self.compacting.lock().await;
        let mut merges = Vec::new();
        for table in Table::ALL {
            let live = self.live(table).into_iter();
            let segments = live.flat_map(|(tenant, live)| self.mergeable(table, &tenant, &live));
            let planned = plan::plan(segments, now_ms(), &self.options.compaction);
            merges.extend(planned.into_iter().map(|merge| (table, merge)));
        }
        let counters = &self.shared.counters.compaction;
        let backlog = merges.iter().map(|(_, merge)| merge.inputs.len() as u64).sum();
        counters.backlog_segments.store(backlog, Ordering::Relaxed);
        let mut compacted = Compacted::default();
        let mut failed = None;
        for (table, merge) in merges {
            if counters.is_stopped() {
                break;
            }
            match self.merge(table, &merge).await {
                Ok(segments) => {
                    compacted.merges += usize::from(segments > 0);
                    compacted.segments += segments;
                }
                Err(error) => {
                    add(&counters.errors, 1);
                    failed.get_or_insert(error);
                }
            }
            counters.backlog_segments.fetch_sub(merge.inputs.len() as u64, Ordering::Relaxed);
        }
        failed.map_or(Ok(compacted), Err)
    }

    /// The segments of a tenant that may be merged now.
    fn mergeable(&self, table: Table, tenant: &str, live: &Segments) -> Vec<Arc<Segment>> {
        let deletes = self.deletes_of(tenant);
        let now_ms = now_ms();
        live.iter().filter(|it| deletes.may_apply(table, it, now_ms)).cloned().collect()
    }

    /// Merges segments and commits it; how many were replaced, 0 if somebody else was faster.
    async fn merge(&self, table: Table, merge: &Merge) -> Result<usize, Error> {
        let Some(first) = merge.inputs.first() else { return Ok(0) };
        let deletes = self.deletes_of(&first.tenant);
        if !merge.inputs.iter().all(|it| deletes.may_apply(table, it, now_ms())) {
            return Ok(0);
        }
        if self.options.budget.wait_for_memory().await.is_err() {
            // No work waits less for its turn: the next round finds these segments again.
            return Ok(0);
        }
        let context = self.context(table, deletes);
        let merge = merge.clone();
        let started = Instant::now();
        let done = tokio::task::spawn_blocking(move || job::run(&context, &merge)).await;
        let done = done.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a merge was cut off", error)
        })??;
        let counters = &self.shared.counters.compaction;
        if !self.replace(table, &done, Operation::Compact).await? {
            add(&counters.conflicts, 1);
            return Ok(0);
        }
        let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let sum = |of: fn(&Segment) -> u64| done.inputs.iter().map(|segment| of(segment)).sum();
        add(&counters.merges, 1);
        add(&counters.merge_ns, took);
        add(&counters.input_segments, done.inputs.len() as u64);
        add(&counters.input_bytes, sum(|segment| segment.bytes));
        add(&counters.input_rows, sum(|segment| segment.rows));
        add(&counters.output_bytes, done.output.as_ref().map_or(0, |segment| segment.bytes));
        add(&counters.output_rows, done.output.as_ref().map_or(0, |segment| segment.rows));
        add(&counters.repeated_rows, done.repeated_rows);
        Ok(done.inputs.len())
    }
}

#[cfg(test)]
mod tests;
