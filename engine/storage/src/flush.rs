//! Flushing: frozen memtables become segments, then the WAL behind them is removed.
//!
//! Tables are committed one by one. When a table's commit has landed, its rows leave the frozen
//! memtable and its segments appear under one lock, so a reader sees each row once. When all
//! tables have committed, the WAL files are removed. A crash in between is made good on the next
//! start: each table's log says up to which sequence number it holds everything.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use schemas::tables::Table;

use crate::absent::held_bytes;
use crate::buffered::FLUSH_COPIES;
use crate::catalog::{Catalog, Change, Operation};
use crate::segment::{self, Encoded, Origin};
use crate::store::{Frozen, Store};
use crate::waiting::Waits;
use crate::{Error, ErrorKind, Segment};

/// How often age and size of the active memtable are looked at.
const TICK: Duration = Duration::from_millis(500);

/// Longest wait between two attempts of a flush that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Segments that are encoded at once.
const ENCODED_AT_ONCE: usize = 2;

/// The catalogs of all tables.
#[derive(Debug)]
pub(crate) struct Catalogs {
    /// Names our WAL in the catalogs.
    pub(crate) writer: Arc<str>,
    /// One for each table.
    pub(crate) tables: HashMap<Table, Catalog>,
}

/// Flushes whenever the active memtable is large or old enough, as long as the store lives.
pub(crate) async fn run(store: Weak<Store>) {
    let mut backoff = TICK;
    loop {
        let Some(alive) = store.upgrade() else { return };
        let shared = Arc::clone(&alive.shared);
        drop(alive);
        // The timer bounds the wait, so whether a notification came first does not matter.
        let _ = tokio::time::timeout(TICK, shared.full.notified()).await;
        drop(shared);
        let Some(alive) = store.upgrade() else { return };
        let Some(due) = due(&alive) else { continue };
        if let Err(error) = flush(&alive, due == Due::All).await {
            alive.shared.counters.flush_errors.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "flush failed; it will be tried again");
            drop(alive);
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        } else {
            backoff = TICK;
        }
    }
}

/// What is to be flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Everything.
    All,
    /// What does not wait for more.
    Some,
}

/// What is to be flushed now; `None` if nothing is.
pub(crate) fn due(store: &Store) -> Option<Due> {
    if store.shared.flush_wanted.swap(false, Ordering::Relaxed) {
        return Some(Due::All);
    }
    let (options, counters) = (&store.options, &store.shared.counters);
    let now = store.shared.now();
    let state = store.shared.state.read();
    let age = state.active_since.map(|since| now.saturating_duration_since(since));
    let is_old = age.is_some_and(|age| age >= options.flush_interval);
    // What another flush works at is not ours to repeat.
    let left_over = !state.frozen.is_empty() && store.flushing.try_lock().is_ok();
    if left_over || state.active.bytes >= options.memtable_bytes_max {
        return Some(Due::Some);
    }
    let written = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let in_wal = written(&counters.wal_bytes) - written(&counters.wal_bytes_frozen);
    let waits = Waits::of(options);
    let is_worth = || in_wal >= waits.wal_bytes_max || waits.is_due(&state.active, now);
    (is_old && is_worth()).then_some(Due::Some)
}

/// Freezes the active memtable, all of it or what is due, and flushes all frozen ones, oldest
/// first.
pub(crate) async fn flush(store: &Store, all: bool) -> Result<(), Error> {
    let _one_at_a_time = store.flushing.lock().await;
    store.freeze(all).await?;
    while flush_first(store).await? {}
    Ok(())
}

/// Flushes the oldest frozen memtable.
pub(crate) async fn flush_oldest(store: &Store) -> Result<(), Error> {
    let _one_at_a_time = store.flushing.lock().await;
    flush_first(store).await.map(|_| ())
}

/// Tells whether there was one.
async fn flush_first(store: &Store) -> Result<bool, Error> {
    let oldest = store.shared.state.read().frozen.first().cloned();
    let Some(oldest) = oldest else { return Ok(false) };
    let started = Instant::now();
    flush_one(store, &oldest).await?;
    let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    store.shared.counters.flush_ns.fetch_add(took, Ordering::Relaxed);
    store.shared.counters.flushes.fetch_add(1, Ordering::Relaxed);
    Ok(true)
}

async fn flush_one(store: &Store, frozen: &Frozen) -> Result<(), Error> {
    for table in Table::ALL {
        let segments = write_segments(store, frozen, table).await?;
        if segments.is_empty() {
            continue;
        }
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        let change = Change {
            operation: Operation::Write,
            adds: segments,
            removes: Vec::new(),
            applied: Some(frozen.sequences.1),
        };
        let observed = frozen.rows.clone();
        // This takes the rows out of the frozen memtable as it shows the segments.
        store.publish(table, &change).await?;
        store.shared.settle();
        crate::promotion::promote_frequent(store, table, observed).await;
        store.shared.counters.flushed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    let folder = crate::recover::wal_folder(&store.options);
    let last = frozen.wal_files;
    let (disk, dedup) = (Arc::clone(&store.disk), store.dedup_log.clone());
    let (identities, oldest) = (Arc::clone(&frozen.identities), store.shared.dedup.oldest());
    let removing = tokio::task::spawn_blocking(move || {
        dedup.append(&identities, oldest)?;
        crate::wal::remove(disk.as_ref(), &folder, last)
    });
    removing.await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "removing the WAL was cut off", error)
    })??;
    let flushed = store.shared.state.write().frozen.remove(0);
    drop(flushed);
    store.shared.settle();
    Ok(())
}

/// Encodes and stores the rows of one table.
async fn write_segments(
    store: &Store,
    frozen: &Frozen,
    table: Table,
) -> Result<Vec<Segment>, Error> {
    let row_group_rows = store.options.row_group_rows;
    let layout = store.layout(table);
    let mut jobs = Vec::new();
    let known = Arc::clone(&store.shared.state.read().deletes);
    let parts = frozen.rows.tenants(table).flat_map(|(tenant, batches)| {
        let parts = known.parts(tenant, table.signal(), batches);
        parts.into_iter().map(move |(settled, batches)| (tenant, settled, batches))
    });
    for (tenant, deletes_applied, batches) in parts {
        let origin = Origin {
            deletes_applied,
            table,
            tenant: Arc::clone(tenant),
            sequences: frozen.sequences,
            writer: Arc::clone(&store.catalogs.writer),
        };
        let layout = Arc::clone(&layout);
        let bytes: usize = batches.iter().map(held_bytes).sum();
        jobs.push(async move {
            let _copies = store.shared.buffered.copy(bytes * FLUSH_COPIES);
            let encoding = tokio::task::spawn_blocking(move || {
                segment::encode(&origin, &batches, &layout, row_group_rows)
            });
            let encoded: Vec<Encoded> = encoding.await.map_err(|error| {
                Error::with_source(ErrorKind::Internal, "encoding was cut off", error)
            })??;
            let mut segments = Vec::new();
            for Encoded { segment, bytes } in encoded {
                // A flush that is done again may find an object of the same rows, perhaps with
                // other bytes; the name is ours alone, and no commit has named it yet.
                store.objects.write(&segment.path, bytes).await?;
                segments.push(segment);
            }
            Ok::<_, Error>(segments)
        });
    }
    let written: Vec<Vec<Segment>> =
        futures::stream::iter(jobs).buffered(ENCODED_AT_ONCE).try_collect().await?;
    Ok(written.into_iter().flatten().collect())
}
