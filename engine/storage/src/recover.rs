//! Opening: catalogs, indexes, then the WAL, so that nothing acknowledged is missing or doubled.
//!
//! ```text
//!  lake/…/_delta_log ─▶ live segments, sequence applied per table
//!  series and stream segments ─▶ label indexes
//!  dedup/*.dedup ─▶ requests that are known
//!  wal/*.wal ─▶ replay
//! ```

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::tables::Table;

use crate::buffered::{Buffered, memtable_bytes_max, replayed_bytes_max};
use crate::catalog::Catalog;
use crate::dedup::{DedupLog, Window};
use crate::deletes::{DeleteLog, Known};
use crate::disk::Disk;
use crate::flush::Catalogs;
use crate::identities;
use crate::indexes::Indexes;
use crate::objects::{Objects, disk as disk_error, sync_folder};
use crate::retention::Policy;
use crate::store::Shared;
use crate::wal::Log;
use crate::{Error, ErrorKind, Segment, StoreOptions};

/// Most bytes of memtables: offsets of texts have 31 bits, and a flush puts the rows of a table
/// together.
const BUFFERED_BYTES_MAX: usize = i32::MAX as usize;

/// How long a start waits for a folder that another process holds.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Time between two looks.
const LOCK_STEP: Duration = Duration::from_millis(20);

/// A store whose WAL is still to be replayed.
pub(crate) struct Opened {
    pub(crate) options: StoreOptions,
    pub(crate) objects: Objects,
    pub(crate) catalogs: Catalogs,
    pub(crate) delete_log: DeleteLog,
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dedup_log: DedupLog,
    pub(crate) log: Log,
    /// The sequence number up to which each table holds everything.
    pub(crate) applied: HashMap<Table, u64>,
    pub(crate) lock: File,
}

/// Where the WAL lies.
pub(crate) fn wal_folder(options: &StoreOptions) -> PathBuf {
    options.data_dir.join("wal")
}

/// Opens or creates everything a store needs.
pub(crate) async fn open(disk: Arc<dyn Disk>, mut options: StoreOptions) -> Result<Opened, Error> {
    if options.buffered_bytes_max > BUFFERED_BYTES_MAX {
        let bytes = options.buffered_bytes_max;
        let message = format!("buffered_bytes_max of {bytes} is over {BUFFERED_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let folder = wal_folder(&options);
    let failed = |error| disk_error(&folder, error);
    fs::create_dir_all(&options.data_dir).map_err(failed)?;
    disk.create_folder(&folder).map_err(failed)?;
    let lock = wait_for_lock(&options.data_dir).await?;
    let writer = writer_name(&options.data_dir)?;
    let objects = objects(&options).await?;
    let dedup = Window::new(options.dedup_window, options.dedup_requests_max, 1);
    let dedup_log = DedupLog::open(Arc::clone(&disk), options.data_dir.join("dedup"))?;
    dedup_log.load(&dedup)?;
    let indexes = Indexes::within(&options.budget);
    let buffered = Arc::new(Buffered::within(&options.budget));
    options.memtable_bytes_max = memtable_bytes_max(options.memtable_bytes_max, &options.budget);
    options.replayed_bytes_max = replayed_bytes_max(options.replayed_bytes_max, &options.budget);
    let policy = Policy::compile(&options.removal.retention)?;
    let shared = Arc::new(Shared { indexes, dedup, policy, buffered, ..Shared::default() });
    let delete_log = DeleteLog::new(objects.clone());
    shared.state.write().deletes = Arc::new(Known::load(&delete_log).await?);
    let mut tables = HashMap::new();
    let mut applied = HashMap::new();
    let started = Instant::now();
    let load = |table| Catalog::load(table, objects.clone(), Arc::clone(&writer));
    let loaded = futures::future::try_join_all(Table::ALL.map(load)).await?;
    let catalogs_ms = started.elapsed().as_millis();
    let mut segments = 0;
    for (table, catalog) in Table::ALL.into_iter().zip(loaded) {
        let mut log = catalog.lock().await;
        let layout = log.layout();
        shared.counters.catalog.shown(table, log.version().unwrap_or(0), 0);
        let live: Vec<Arc<Segment>> = log.live().cloned().collect();
        identities::load(&shared, table, &live, &objects).await?;
        applied.insert(table, log.applied());
        segments += live.len();
        let mut state = shared.state.write();
        state.layouts.insert(table, layout);
        state.segments.entry(table).or_default().extend(live);
        drop(state);
        drop(log);
        tables.insert(table, catalog);
    }
    let took_ms = started.elapsed().as_millis();
    tracing::info!(segments, catalogs_ms, took_ms, "read the tables' logs and labels");
    let log = Log::open(Arc::clone(&disk), &folder)?;
    let catalogs = Catalogs { writer, tables };
    Ok(Opened {
        options,
        objects,
        catalogs,
        delete_log,
        shared,
        disk,
        dedup_log,
        log,
        applied,
        lock,
    })
}

/// Where the lake lies: in a bucket with a cache before it, or in a folder.
async fn objects(options: &StoreOptions) -> Result<Objects, Error> {
    match &options.objects {
        Some(remote) => {
            let (cache, budget) = (&options.cache, &options.budget);
            let folder = options.data_dir.join("cache");
            Objects::remote(remote.clone()).with_cache(cache, &folder, budget).await
        }
        None => match &options.lake_dir {
            Some(folder) => Objects::local(folder),
            None => Objects::local(&options.data_dir.join("lake")),
        },
    }
}

/// Holds the folder as [`lock`] does; waits a moment for one who is about to let go of it.
async fn wait_for_lock(data_dir: &Path) -> Result<File, Error> {
    let asked = Instant::now();
    loop {
        match lock(data_dir) {
            Err(error) if asked.elapsed() < LOCK_PATIENCE => {
                tracing::debug!(%error, "waiting for the lock");
                tokio::time::sleep(LOCK_STEP).await;
            }
            locked => return locked,
        }
    }
}

/// Holds the folder for this process alone, as long as the file is open.
pub(crate) fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("lock");
    let file = File::create(&path).map_err(|error| disk_error(&path, error))?;
    file.try_lock().map_err(|error| {
        let message = format!("{}: another process has the folder open", path.display());
        Error::with_source(ErrorKind::Unavailable, message, error)
    })?;
    Ok(file)
}

/// The name of this folder's WAL in the catalogs: made once, random.
fn writer_name(data_dir: &Path) -> Result<Arc<str>, Error> {
    let path = data_dir.join("writer");
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(Arc::from(name.trim())),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(disk_error(&path, error)),
    }
    // Randomness of the standard library's hasher: 64 bits tell lakes apart.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let name = format!("{random:016x}");
    let written = fs::write(&path, &name)
        .and_then(|()| File::open(&path)?.sync_all())
        .and_then(|()| sync_folder(data_dir));
    written.map_err(|error| disk_error(&path, error))?;
    Ok(Arc::from(name))
}
