//! Options of the store, each with its unit, its cost and its default.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::{Budget, CacheOptions, CompactionOptions, PromotionOptions, Remote, RemovalOptions};

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After the WAL is on the disk: nothing acknowledged is lost by a crash or power loss.
    Fsync,
    /// After the WAL was written; the disk is synced at this interval, which bounds the loss on
    /// power failure. A crash of the process alone loses nothing.
    Interval(Duration),
    /// After the WAL was written; the operating system decides when it reaches the disk.
    None,
}

/// Options of the store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where flushes, merges and removal run; `None`: on the runtime that opens the store.
    pub background: Option<Handle>,
    /// Folder of the WAL, and of the lake unless `objects` is given. Created if absent.
    pub data_dir: PathBuf,
    /// Where segments and catalogs live; `None` puts them into `lake_dir`, with fsync.
    pub objects: Option<Remote>,
    /// Local folder of segments and catalogs, created if absent; `None` is `data_dir/lake`. Several
    /// processes may share it, each with a `data_dir` of its own. Needs hard links; a network
    /// file system must make them exclusively, as local ones do.
    pub lake_dir: Option<PathBuf>,
    /// How the tables' logs are followed and kept short.
    pub catalog: CatalogOptions,
    /// What is kept nearby of segments in `objects`; not used for a lake in `data_dir`.
    pub cache: CacheOptions,
    /// The memory of everything that the store and whoever reads it hold. Default: 60 % of what
    /// the machine leaves to the process.
    pub budget: Arc<Budget>,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Memtables are flushed when they hold this many bytes. More makes fewer and better
    /// compressed segments and costs as much memory again while sorting. Default 128 MiB.
    pub memtable_bytes_max: usize,
    /// Memtables are flushed at this age. Longer intervals compress better (metrics: 24 samples
    /// a series and segment take 2.5 bytes each, 240 take 1.9) and make recovery longer.
    /// Default 5 minutes.
    pub flush_interval: Duration,
    /// Fewest tenants with rows in the memtable from which on small ones wait for more before
    /// they are flushed: with few there is nothing to save. Default 16.
    pub flush_tenants_min: usize,
    /// A tenant with fewer bytes than this in the memtable waits, up to `flush_tenant_age_max`
    /// and as long as what waits is under a quarter of `memtable_bytes_max`; 0 lets nobody
    /// wait. Default 1 MiB.
    pub flush_tenant_bytes_min: usize,
    /// Rows wait for this long at most, from when the first came or was replayed. Other processes
    /// and engines see them that much later. Default 30 minutes.
    pub flush_tenant_age_max: Duration,
    /// The label indexes of a tenant that nobody has written to or asked for so long are dropped
    /// from memory, and loaded from segments when it is asked for again; zero keeps all. At least
    /// as long as a request may take. Default 1 hour.
    pub index_idle_max: Duration,
    /// Writes are refused while memtables (active and being flushed) hold this many bytes. Those
    /// that were filled from the WAL at the start do not count. Default 384 MiB.
    pub buffered_bytes_max: usize,
    /// Memtables that are filled from the WAL at the start hold this many bytes, and half of what
    /// the budget gives to memtables at most; what is over is flushed before the store is open.
    /// Default 2 GiB.
    pub replayed_bytes_max: usize,
    /// Size of a WAL file in bytes before the next one is begun. Default 64 MiB.
    pub wal_segment_bytes: u64,
    /// How long a request is recognised if it comes again, and a quarter more at most; zero
    /// never. Time in which no process has the lake open does not count. Default 10 minutes.
    pub dedup_window: Duration,
    /// Requests that are recognised at most, the youngest: each takes up to 60 bytes of memory and
    /// 32 of disk. Default 500,000.
    pub dedup_requests_max: usize,
    /// What takes data away, and when.
    pub removal: RemovalOptions,
    /// Rows of a Parquet row group. Default 1 Mi.
    pub row_group_rows: usize,
    /// How small segments become large ones.
    pub compaction: CompactionOptions,
    /// Which attributes get columns of their own.
    pub promotion: PromotionOptions,
}

/// How the tables' logs are followed and kept short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogOptions {
    /// How often commits of other processes are looked for: with one request for an object that
    /// is mostly not there, a table. This bounds how old an answer may be in what others have
    /// written. Zero for a lake that nobody else writes to. Default 1 second.
    pub refresh_interval: Duration,
    /// Commits of a table from one checkpoint to the next. Fewer make the next start read less;
    /// each checkpoint writes what all live segments take, some 40 bytes each. Zero writes none.
    /// Default 50.
    pub checkpoint_commits: u64,
    /// How long commits behind a checkpoint stay, and what was removed is told. A process that
    /// sleeps longer reads the logs anew. At least an hour. Default 24 hours.
    pub log_retention: Duration,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self {
            refresh_interval: Duration::from_secs(1),
            checkpoint_commits: 50,
            log_retention: Duration::from_secs(24 * 3600),
        }
    }
}

impl StoreOptions {
    /// The defaults, with data in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            background: None,
            data_dir: data_dir.into(),
            objects: None,
            lake_dir: None,
            catalog: CatalogOptions::default(),
            cache: CacheOptions::default(),
            budget: Budget::of_machine(),
            durability: Durability::Fsync,
            memtable_bytes_max: 128 << 20,
            flush_interval: Duration::from_secs(300),
            flush_tenants_min: 16,
            flush_tenant_bytes_min: 1 << 20,
            flush_tenant_age_max: Duration::from_secs(1800),
            index_idle_max: Duration::from_secs(3600),
            buffered_bytes_max: 384 << 20,
            replayed_bytes_max: 2 << 30,
            wal_segment_bytes: 64 << 20,
            dedup_window: Duration::from_secs(600),
            dedup_requests_max: 500_000,
            removal: RemovalOptions::default(),
            row_group_rows: 1 << 20,
            compaction: CompactionOptions::default(),
            promotion: PromotionOptions::default(),
        }
    }
}
