//! The store: one room for the WAL, the memtables and the catalogs.
//!
//! ```text
//!  append ─▶ queue ─▶ writer thread: group, write, sync ─▶ memtable ─▶ wake the callers
//!                                        freeze ─▶ frozen ─▶ flush ─▶ segments ─▶ WAL removed
//! ```
//!
//! One thread writes the WAL and fills the memtable, in the order of sequence numbers. Freezing
//! is a message in the same queue, so a frozen memtable holds exactly the rows of a run of
//! sequence numbers, and a table's catalog can say up to which number it holds everything. Rows of
//! small tenants wait instead and take a later number (module `waiting`).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use schemas::model::{Signal, TimestampNs};
use schemas::tables::{Table, TableLayout};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::absent::held_bytes;
use crate::buffered::Buffered;
use crate::catalog::CatalogCounters;
use crate::compact;
use crate::dedup::{DedupLog, Window};
use crate::deletes::{DeleteLog, Known};
use crate::disk::{Disk, OsDisk};
use crate::flush::{self, Catalogs};
use crate::follow;
use crate::indexes::Indexes;
use crate::keepers::{Keeper, Keepers};
use crate::live::LiveTable;
use crate::memtable::{self, Memtable};
use crate::objects::Objects;
use crate::promotion::Choices;
use crate::retention::Policy;
use crate::waiting::Waits;
use crate::wal::WalWriter;
use crate::writer::{Message, Queue};
use crate::{Budget, Error, ErrorKind, LabelIndex, Snapshot, StoreOptions, TableSnapshot, segment};

/// Rows of one table, in its schema, in any order, of any days.
#[derive(Clone, Debug)]
pub struct TableBatch {
    /// The table.
    pub table: Table,
    /// The rows.
    pub rows: RecordBatch,
}

/// A request body as it is kept in the WAL.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who sent it.
    pub tenant: Arc<str>,
    /// What it holds.
    pub signal: Signal,
    /// How the payload is encoded; the number's meaning is the decoder's own.
    pub encoding: u8,
    /// When it was received.
    pub received_ns: TimestampNs,
    /// The body as received.
    pub payload: Bytes,
    /// What the decoder needs beside the payload to make the same rows again, whatever limits
    /// hold then; the bytes' meaning is its own. Empty for most requests.
    pub notes: Bytes,
    /// What tells the request from others; `None` if it may come again and mean new records.
    pub identity: Option<Identity>,
}

/// What tells a request from others, however often and by whichever way it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hash of tenant, signal and content. Equal hashes are taken for equal requests.
    pub hash: u128,
    /// Records that the request holds.
    pub records: u32,
    /// Those of them that were rejected and have no rows.
    pub rejected: u32,
}

/// What became of a request that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is stored.
    Stored,
    /// An equal request was stored before, and is as durable as if this one had been stored; its
    /// identity tells what became of its records. Nothing was stored now.
    Duplicate(Identity),
}

/// A request that is to be stored.
#[derive(Clone, Debug)]
pub struct Write {
    /// What goes into the WAL.
    pub frame: Frame,
    /// What the frame decodes to: what goes into the memtables.
    pub batches: Vec<TableBatch>,
}

/// Turns WAL frames back into rows when the store is opened after a crash.
pub trait Decode: Send + Sync {
    /// The rows of a frame: the same as when it was first decoded, but for rows of the series
    /// and stream tables, which are made whenever `series` and `streams` do not know them.
    fn decode(
        &self,
        frame: &Frame,
        series: &LabelIndex,
        streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>>;
}

/// The lake of one process: append, read, flush.
#[derive(Debug)]
pub struct Store {
    pub(crate) options: StoreOptions,
    pub(crate) objects: Objects,
    pub(crate) catalogs: Catalogs,
    pub(crate) delete_log: DeleteLog,
    pub(crate) shared: Arc<Shared>,
    /// Where the WAL lies.
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dedup_log: DedupLog,
    /// Empty until the WAL is replayed.
    queue: OnceLock<Queue>,
    /// Held while a flush runs, so that memtables are flushed in the order they were frozen.
    pub(crate) flushing: tokio::sync::Mutex<()>,
    /// Held while the indexes of a tenant are loaded.
    pub(crate) loading: tokio::sync::Mutex<()>,
    /// Held while this process compacts: one merge at a time.
    pub(crate) compacting: tokio::sync::Mutex<()>,
    _lock: std::fs::File,
}

/// What the writer thread, the flushes and the readers share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) state: RwLock<State>,
    pub(crate) indexes: Indexes,
    /// What is kept for how long.
    pub(crate) policy: Policy,
    /// Segments that were found to have no row of a class beyond its retention.
    pub(crate) retained: Mutex<HashSet<(String, u64)>>,
    /// Removed objects that are deleted.
    pub(crate) vacuumed: Mutex<HashSet<String>>,
    pub(crate) counters: Counters,
    /// Memory of requests that wait for the WAL, of memtables and of their copies.
    pub(crate) buffered: Arc<Buffered>,
    /// The requests that are known.
    pub(crate) dedup: Window,
    /// Requests of the active memtable that are known, each with its generation.
    pub(crate) unflushed: Mutex<Vec<(u64, Identity)>>,
    /// By how much the clock is ahead of the machine's, in milliseconds: tests let time pass.
    pub(crate) ahead_ms: AtomicU64,
    /// Whether the active memtable is to be flushed whatever its size and age.
    pub(crate) flush_wanted: AtomicBool,
    /// Told when the active memtable is full.
    pub(crate) full: Notify,
    /// Which attributes without a column are frequent.
    pub(crate) promotion: Choices,
    /// Who is told which segments are not live any more.
    pub(crate) keepers: Keepers,
}

impl Shared {
    /// What time it is for the age of rows.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Brings the memory that is reserved for buffered rows in line with what they take.
    pub(crate) fn settle(&self) {
        self.buffered.settle(|| self.state.read().memtable_bytes());
    }
}

/// What can be read now.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) active: Memtable,
    /// When the first row came into the active memtable.
    pub(crate) active_since: Option<Instant>,
    /// Memtables that are being flushed, oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) segments: HashMap<Table, LiveTable>,
    /// Delete requests.
    pub(crate) deletes: Arc<Known>,
    /// The columns of each table; the starting ones of a table that is absent.
    pub(crate) layouts: HashMap<Table, Arc<TableLayout>>,
}

/// A memtable that takes no more rows.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) rows: Memtable,
    /// First and last sequence number that it may have rows of.
    pub(crate) sequences: (u64, u64),
    /// WAL files up to this number hold nothing but these rows and older ones.
    pub(crate) wal_files: u64,
    /// What is remembered of its requests, each with its generation; durable before the WAL goes.
    pub(crate) identities: Arc<Vec<(u64, Identity)>>,
    /// Whether all of it was found in the WAL at the start.
    pub(crate) is_replayed: bool,
}

impl State {
    /// Bytes of all memtables.
    pub(crate) fn memtable_bytes(&self) -> usize {
        self.active.bytes + self.frozen.iter().map(|frozen| frozen.rows.bytes).sum::<usize>()
    }

    /// Bytes of the memtables that make writes wait: a start that finds much in the WAL must not
    /// refuse what comes then.
    fn arrived_bytes(&self) -> usize {
        let arrived = self.frozen.iter().filter(|frozen| !frozen.is_replayed);
        self.active.bytes + arrived.map(|frozen| frozen.rows.bytes).sum::<usize>()
    }
}

/// Counters that only ever rise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) wal_bytes: AtomicU64,
    /// What `wal_bytes` was when the memtable was last frozen.
    pub(crate) wal_bytes_frozen: AtomicU64,
    pub(crate) wal_syncs: AtomicU64,
    pub(crate) wal_sync_ns: AtomicU64,
    pub(crate) wal_errors: AtomicU64,
    pub(crate) rows: [AtomicU64; 7],
    pub(crate) flushes: AtomicU64,
    pub(crate) flush_ns: AtomicU64,
    pub(crate) flush_errors: AtomicU64,
    pub(crate) flushed_bytes: AtomicU64,
    /// Whether a flush runs.
    pub(crate) is_flushing: AtomicBool,
    pub(crate) compaction: compact::Counters,
    pub(crate) catalog: CatalogCounters,
}

impl Counters {
    pub(crate) fn count_rows(&self, batch: &TableBatch) {
        let at = Table::ALL.iter().position(|table| *table == batch.table);
        if let Some(rows) = at.and_then(|at| self.rows.get(at)) {
            rows.fetch_add(batch.rows.num_rows() as u64, Ordering::Relaxed);
        }
    }
}

impl Store {
    /// Opens or creates the lake, loads the catalogs, and replays the WAL.
    pub async fn open(options: StoreOptions, decode: Arc<dyn Decode>) -> Result<Arc<Self>, Error> {
        Self::open_on(Arc::new(OsDisk), options, decode).await
    }

    /// The same with the WAL on another disk.
    pub(crate) async fn open_on(
        disk: Arc<dyn Disk>,
        options: StoreOptions,
        decode: Arc<dyn Decode>,
    ) -> Result<Arc<Self>, Error> {
        let opened = crate::recover::open(disk, options).await?;
        let store = Arc::new(Self {
            options: opened.options,
            objects: opened.objects,
            catalogs: opened.catalogs,
            delete_log: opened.delete_log,
            shared: opened.shared,
            disk: opened.disk,
            dedup_log: opened.dedup_log,
            queue: OnceLock::new(),
            flushing: tokio::sync::Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            compacting: tokio::sync::Mutex::default(),
            _lock: opened.lock,
        });
        let end = crate::replay::replay(&store, opened.log, opened.applied, decode).await?;
        let wal = WalWriter::new(
            Arc::clone(&store.disk),
            crate::recover::wal_folder(&store.options),
            store.options.wal_segment_bytes,
            store.options.durability,
            end.file + 1,
        );
        let waits = Waits::of(&store.options);
        let queue = Queue::start(wal, end, waits, Arc::clone(&store.shared))?;
        store.queue.get_or_init(|| queue);
        let background = store.options.background.clone().unwrap_or_else(Handle::current);
        background.spawn(flush::run(Arc::downgrade(&store)));
        background.spawn(compact::run(Arc::downgrade(&store)));
        background.spawn(follow::run(Arc::downgrade(&store)));
        background.spawn(crate::removal::run(Arc::downgrade(&store)));
        background.spawn(crate::idle::run(Arc::downgrade(&store)));
        tokio::spawn(Budget::watch(Arc::downgrade(&store.options.budget)));
        Ok(store)
    }

    /// From now on `keeper` is told of segments that are not live any more.
    pub fn tell(&self, keeper: Weak<dyn Keeper>) {
        self.shared.keepers.add(keeper);
    }

    /// Stores a request, unless an equal one is stored already. When this returns `Ok`, it is
    /// durable and every later snapshot holds it.
    ///
    /// `Limit` if too much is waiting to be flushed, `Unavailable` if the disk refuses.
    pub async fn append(&self, mut write: Write) -> Result<Appended, Error> {
        if let Some(known) = write.frame.identity.and_then(|of| self.known(of.hash)) {
            return Ok(Appended::Duplicate(known));
        }
        for batch in &mut write.batches {
            let schema = batch.rows.schema();
            let rows = std::mem::replace(&mut batch.rows, RecordBatch::new_empty(schema));
            batch.rows = memtable::shrink(rows);
        }
        let bytes = write.frame.payload.len()
            + write.batches.iter().map(|batch| held_bytes(&batch.rows)).sum::<usize>();
        self.check_room(bytes)?;
        // Everything that can be wrong must be found before the WAL holds it: a frame that is
        // durable and refused would be met again at every start.
        segment::check_tenant(&write.frame.tenant)?;
        self.ready(&write.frame.tenant).await?;
        for batch in &write.batches {
            memtable::check(batch)?;
            self.shared.indexes.reserve(&write.frame.tenant, batch)?;
        }
        if let Err(error) = self.shared.buffered.enter(bytes) {
            self.shared.full.notify_one();
            return Err(error);
        }
        let (done, answer) = oneshot::channel();
        let held = self.shared.indexes.hold(&write.frame.tenant);
        let message = Message::Append { write, bytes, held, done };
        let sent = self.queue().and_then(|to| to.send(message));
        if let Err(error) = sent {
            self.shared.buffered.leave(bytes);
            self.shared.settle();
            return Err(error);
        }
        answer.await.map_err(|_| closed())?
    }

    /// What was stored under a hash, durably; `None` if nothing is known of it.
    pub fn known(&self, hash: u128) -> Option<Identity> {
        self.shared.dedup.get(hash)
    }

    fn queue(&self) -> Result<&Queue, Error> {
        self.queue.get().ok_or_else(closed)
    }

    fn check_room(&self, bytes: usize) -> Result<(), Error> {
        let held = self.shared.state.read().arrived_bytes();
        let held = held + self.shared.buffered.queued();
        if held + bytes <= self.options.buffered_bytes_max {
            return Ok(());
        }
        self.shared.full.notify_one();
        let message = format!(
            "{held} bytes wait to be flushed; {bytes} more are over the limit of {} \
             (buffered_bytes_max)",
            self.options.buffered_bytes_max
        );
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// What `tenant` can read now, after [`Store::ready`].
    pub fn snapshot(&self, tenant: &str) -> Snapshot {
        let mut tables: HashMap<Table, TableSnapshot> = HashMap::new();
        let mut found = Vec::new();
        let (layouts, known);
        {
            let state = self.shared.state.read();
            layouts = state.layouts.clone();
            known = Arc::clone(&state.deletes);
            for table in Table::ALL {
                let live = state.segments.get(&table);
                let segments = live.map(|live| live.tenant(tenant)).unwrap_or_default();
                let mut batches = Vec::new();
                for frozen in &state.frozen {
                    batches.extend(frozen.rows.batches(tenant, table));
                }
                batches.extend(state.active.batches(tenant, table));
                if !(segments.is_empty() && batches.is_empty()) {
                    found.push((table, segments, batches));
                }
            }
        }
        let deletes = self.shared.deletes(&known, tenant);
        for (table, segments, batches) in found {
            let visible = |(seen, rows)| deletes.visible(table, seen, rows);
            let batches = batches.into_iter().filter_map(visible).collect();
            tables.insert(table, TableSnapshot { segments, batches });
        }
        Snapshot {
            tenant: Arc::from(tenant),
            objects: self.objects.store(),
            tables,
            layouts,
            deletes,
            series: self.series(tenant),
            streams: self.streams(tenant),
        }
    }

    /// The memory that the store, and whoever reads it, draws on.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.options.budget
    }

    /// The series index of a tenant, after [`Store::ready`].
    pub fn series(&self, tenant: &str) -> Arc<LabelIndex> {
        self.shared.indexes.series(tenant)
    }

    /// The stream index of a tenant, after [`Store::ready`].
    pub fn streams(&self, tenant: &str) -> Arc<LabelIndex> {
        self.shared.indexes.streams(tenant)
    }

    /// Writes everything in the memtables to segments and releases the WAL.
    pub async fn flush(&self) -> Result<(), Error> {
        flush::flush(self, true).await
    }

    /// Freezes the active memtable, all of it or what is due; nothing happens if it is empty.
    pub(crate) async fn freeze(&self, all: bool) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        self.queue()?.send(Message::Freeze { all, done })?;
        answer.await.map_err(|_| closed())?
    }

    /// Flushes and stops the background work; later appends are refused.
    pub async fn close(&self) -> Result<(), Error> {
        self.shared.counters.compaction.stop();
        let flushed = self.flush().await;
        if let Ok(queue) = self.queue() {
            queue.stop();
        }
        self.checkpoint_at_close().await;
        flushed
    }
}

/// The store takes no more requests.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}

#[cfg(test)]
mod tests;
