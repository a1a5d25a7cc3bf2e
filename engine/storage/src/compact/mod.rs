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
mod stats;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use schemas::tables::Table;

use self::job::Context;
use self::plan::Merge;
pub(crate) use self::stats::Counters;
use self::stats::add;
use crate::catalog::Change;
use crate::clock::now_ms;
use crate::{Error, ErrorKind, Operation, Segment, Store};

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
            let segments = live.flat_map(|(_, live)| live.iter().cloned().collect::<Vec<_>>());
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

    /// Merges segments and commits it; how many were replaced, 0 if somebody else was faster.
    async fn merge(&self, table: Table, merge: &Merge) -> Result<usize, Error> {
        let context = Context {
            table,
            layout: self.layout(table),
            objects: self.objects.clone(),
            runtime: tokio::runtime::Handle::current(),
            shared: Arc::clone(&self.shared),
            budget: Arc::clone(&self.options.budget),
            options: self.options.compaction.clone(),
            row_group_rows: self.options.row_group_rows,
            writer: Arc::clone(&self.catalogs.writer),
        };
        let merge = merge.clone();
        let started = Instant::now();
        let done = tokio::task::spawn_blocking(move || job::run(&context, &merge)).await;
        let done = done.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a merge was cut off", error)
        })??;
        let change = Change {
            operation: Operation::Compact,
            adds: done.output.iter().cloned().collect(),
            removes: done.inputs.clone(),
            applied: None,
        };
        let counters = &self.shared.counters.compaction;
        match self.publish(table, &change).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {
                add(&counters.conflicts, 1);
                tracing::debug!(%error, "others have merged these segments");
                // Nobody names it. What cannot be removed now is swept like any orphan.
                for output in &change.adds {
                    let _ = self.objects.delete(&output.path).await;
                }
                return Ok(0);
            }
            Err(error) => return Err(error),
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
