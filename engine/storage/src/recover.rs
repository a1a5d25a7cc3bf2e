//! Opening: catalogs, indexes, then the WAL, so that nothing acknowledged is missing or doubled.
//!
//! ```text
//!  lake/…/_delta_log ─▶ live segments, sequence applied per table
//!  series and stream segments ─▶ label indexes
//!  wal/*.wal ─ frames ─ decode ─ rows of tables that do not hold them yet ─▶ memtable
//! ```

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::tables::Table;

use crate::catalog::Catalog;
use crate::flush::Catalogs;
use crate::objects::{Objects, disk, sync_folder};
use crate::store::{Shared, TableBatch};
use crate::wal::{self, OsFiles, WalWriter};
use crate::{Decode, Error, ErrorKind, Segment, StoreOptions};

/// Segments that are read at once when an index is loaded.
const READS_AT_ONCE: usize = 8;

/// Most bytes of memtables: offsets of texts have 31 bits, and a flush puts the rows of a table
/// together.
const BUFFERED_BYTES_MAX: usize = i32::MAX as usize;

/// A store that is ready to run.
pub(crate) struct Opened {
    pub(crate) options: StoreOptions,
    pub(crate) objects: Objects,
    pub(crate) catalogs: Catalogs,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wal: WalWriter,
    /// First sequence number that the memtable may hold, and that of the next request.
    pub(crate) sequences: (u64, u64),
    pub(crate) lock: File,
}

/// Where the WAL lies.
pub(crate) fn wal_folder(options: &StoreOptions) -> PathBuf {
    options.data_dir.join("wal")
}

/// Opens or creates everything a store needs.
pub(crate) async fn open(options: StoreOptions, decode: Arc<dyn Decode>) -> Result<Opened, Error> {
    if options.buffered_bytes_max > BUFFERED_BYTES_MAX {
        let bytes = options.buffered_bytes_max;
        let message = format!("buffered_bytes_max of {bytes} is over {BUFFERED_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let folder = wal_folder(&options);
    fs::create_dir_all(&folder).map_err(|error| disk(&folder, error))?;
    let lock = lock(&options.data_dir)?;
    let writer = writer_name(&options.data_dir)?;
    let objects = match &options.objects {
        Some(store) => Objects::remote(Arc::clone(store)),
        None => Objects::local(&options.data_dir.join("lake"))?,
    };
    let shared = Arc::new(Shared::default());
    let mut tables = HashMap::new();
    let mut applied = HashMap::new();
    for table in Table::ALL {
        let catalog = Catalog::load(table, objects.clone(), Arc::clone(&writer)).await?;
        let log = catalog.lock().await;
        let live: Vec<Arc<Segment>> = log.live().cloned().collect();
        load_index(&shared, table, &live, &objects).await?;
        applied.insert(table, log.applied());
        shared.state.write().segments.entry(table).or_default().extend(live);
        drop(log);
        tables.insert(table, catalog);
    }
    let replayed = replay(&folder, &shared, &applied, decode.as_ref())?;
    let highest = applied.values().copied().max().unwrap_or(0).max(replayed.sequence);
    let wal = WalWriter::new(
        folder,
        options.wal_segment_bytes,
        options.durability,
        Box::new(OsFiles),
        replayed.file + 1,
    );
    let catalogs = Catalogs { writer, tables };
    let sequences = (replayed.first.unwrap_or(highest + 1), highest + 1);
    Ok(Opened { options, objects, catalogs, shared, wal, sequences, lock })
}

/// What the WAL ended with.
#[derive(Default)]
struct End {
    file: u64,
    first: Option<u64>,
    sequence: u64,
}

/// Puts the rows of the WAL into the memtable, but for those that a table's segments hold.
fn replay(
    folder: &Path,
    shared: &Shared,
    applied: &HashMap<Table, u64>,
    decode: &dyn Decode,
) -> Result<End, Error> {
    let mut end = End::default();
    let started = Instant::now();
    let mut frames = 0_u64;
    for file in wal::replay(folder)? {
        let file = file?;
        end.file = file.number;
        for (sequence, frame) in file.frames {
            end.first.get_or_insert(sequence);
            end.sequence = end.sequence.max(sequence);
            frames += 1;
            if applied.values().all(|applied| sequence <= *applied) {
                continue;
            }
            let series = shared.indexes.series(&frame.tenant);
            let streams = shared.indexes.streams(&frame.tenant);
            let batches = decode.decode(&frame, &series, &streams).map_err(|error| {
                let message = format!("request {sequence} of the WAL cannot be decoded: {error}");
                Error::with_source(ErrorKind::Damaged, message, error)
            })?;
            for batch in batches {
                let rows = match shared.indexes.absorb(&frame.tenant, &batch) {
                    Ok(rows) => rows,
                    Err(error) => {
                        // Refused when it came in, too: its sender was told, others go on.
                        tracing::error!(sequence, %error, "rows of the WAL are left out");
                        continue;
                    }
                };
                let batch = TableBatch { table: batch.table, rows };
                if sequence > applied.get(&batch.table).copied().unwrap_or(0) {
                    let mut state = shared.state.write();
                    state.active.add(&frame.tenant, &batch)?;
                    state.active_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }
    if frames > 0 {
        let took_ms = started.elapsed().as_millis();
        tracing::info!(frames, took_ms, "replayed the write-ahead log");
    }
    Ok(end)
}

/// Fills the label indexes from the segments of a series or stream table.
async fn load_index(
    shared: &Shared,
    table: Table,
    live: &[Arc<Segment>],
    objects: &Objects,
) -> Result<(), Error> {
    if !matches!(table, Table::MetricSeries | Table::LogStreams) {
        return Ok(());
    }
    // All days: an index must know whatever a segment may hold, and a day more of a series that
    // is known costs a bit.
    let reads = live.iter().map(|segment| {
        let objects = objects.clone();
        async move { objects.read(&segment.path).await.map(|bytes| (segment, bytes)) }
    });
    let mut read = futures::stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some((segment, bytes)) = read.try_next().await? {
        load_segment(shared, table, segment, bytes)?;
    }
    Ok(())
}

fn load_segment(
    shared: &Shared,
    table: Table,
    segment: &Segment,
    bytes: Bytes,
) -> Result<(), Error> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        let message = format!("{}: {error}", segment.path);
        Error::with_source(ErrorKind::Damaged, message, error)
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| damaged(error.into()))?;
    for rows in reader {
        let rows = rows.map_err(|error| damaged(error.into()))?;
        if let Err(error) = shared.indexes.absorb(&segment.tenant, &TableBatch { table, rows }) {
            // All other rows can be read all the same.
            tracing::error!(path = segment.path, %error, "rows are left out of the index");
        }
    }
    Ok(())
}

/// Holds the folder for this process alone, as long as the file is open.
fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("lock");
    let file = File::create(&path).map_err(|error| disk(&path, error))?;
    file.try_lock().map_err(|error| {
        let message = format!("{}: another process has the lake open", path.display());
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
        Err(error) => return Err(disk(&path, error)),
    }
    // Randomness of the standard library's hasher: 64 bits tell lakes apart.
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let name = format!("{random:016x}");
    let written = fs::write(&path, &name)
        .and_then(|()| File::open(&path)?.sync_all())
        .and_then(|()| sync_folder(data_dir));
    written.map_err(|error| disk(&path, error))?;
    Ok(Arc::from(name))
}
