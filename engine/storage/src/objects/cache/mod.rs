//! The cache of blocks: what was read of segments in a bucket once is read nearby again.
//!
//! ```text
//!  ranges ─▶ blocks ─▶ memory? ─▶ under way? ─▶ disk? ─▶ bucket: neighbours in one request
//!                        ▲            │ wait       │           │
//!                        └────────────┴────────────┴───────────┘
//! ```
//!
//! Segments never change and their names are never used again, so a block is right for ever. It
//! is fetched once however many ask for it at the same time, and a query that is given up does
//! not disturb the others. Memory is a part of the budget and given back when somebody needs it;
//! the disk keeps more, and across restarts.

mod disk;
mod fifo;
mod stats;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use self::disk::Disk;
use self::fifo::{Fifo, Key};
use self::stats::Meter;
use super::local::disk as disk_error;
use super::remote::Remote;
use crate::budget::{Reclaim, Reservation, Use};
use crate::{Budget, Error, ErrorKind};

pub use self::stats::CacheStats;

/// Bytes of neighbouring blocks that are fetched in one request.
const FETCH_BYTES_MAX: u64 = 8 << 20;

/// Requests of all readers that are under way at once.
const FETCHES_AT_ONCE: usize = 32;

/// Requests and reads of the disk of one reader that are under way at once.
const READS_AT_ONCE: usize = 8;

/// How much is kept of segments in a bucket, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Size of a block. Larger ones cost fewer requests and read more that nobody asked for.
    /// Default 1 MiB.
    pub block_bytes: u64,
    /// Most bytes on the local disk, in `data_dir/cache`; 0 keeps blocks in memory only. Default
    /// 10 GiB. (What memory may hold is the budget's to say.)
    pub disk_bytes_max: u64,
    /// Bytes that the cache leaves free on the disk. Default 1 GiB.
    pub disk_free_bytes_min: u64,
    /// Whether new segments are cached when they are written, which spares the requests of their
    /// first queries and costs as many writes to the local disk. Default yes.
    pub write_through: bool,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            block_bytes: 1 << 20,
            disk_bytes_max: 10 << 30,
            disk_free_bytes_min: 1 << 30,
            write_through: true,
        }
    }
}

/// A part of an object that is being written.
#[derive(Debug)]
pub(super) struct Written {
    /// Its bytes.
    pub(super) bytes: Bytes,
    /// Where they begin in the object.
    pub(super) offset: u64,
    /// Whether the object ends with them.
    pub(super) is_end: bool,
    /// Whether they are kept in memory, too, and not on disk only.
    pub(super) in_memory: bool,
}

/// What a block was fetched to; `None` while it is under way.
type Outcome = Option<Result<Bytes, Arc<Error>>>;

/// Blocks that are under way, for those who want them, too.
type Flights = HashMap<Key, watch::Receiver<Outcome>, ahash::RandomState>;

/// Blocks of segments, in memory and on the local disk.
#[derive(Debug)]
pub(super) struct Cache {
    remote: Remote,
    options: CacheOptions,
    memory: Mutex<Memory>,
    disk: Option<Disk>,
    flights: Mutex<Flights>,
    fetches: Semaphore,
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct Memory {
    blocks: Fifo<Bytes>,
    reservation: Reservation,
}

/// A block that this reader fetches for all.
struct Flight {
    cache: Arc<Cache>,
    key: Key,
    outcome: watch::Sender<Outcome>,
}

impl Flight {
    /// Whether it is still wanted: its object was not forgotten since it started.
    fn is_in(&self, flights: &Flights) -> bool {
        let ours = self.outcome.subscribe();
        flights.get(&self.key).is_some_and(|flight| flight.same_channel(&ours))
    }

    /// Keeps what was brought, in memory and, if it comes from the bucket, `on_disk`.
    fn keep(&self, block: &Bytes, on_disk: bool) {
        // Held to the end: the object must not be forgotten between the look and the keeping.
        let flights = self.cache.flights.lock();
        if !self.is_in(&flights) {
            return;
        }
        self.cache.remember(self.key.clone(), block);
        if let Some(disk) = self.cache.disk.as_ref().filter(|_| on_disk) {
            disk.offer(self.key.clone(), block.clone());
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.lock();
        if self.is_in(&flights) {
            flights.remove(&self.key);
        }
    }
}

impl Cache {
    /// The cache of a lake, with its disk tier in `folder`. `lake` tells lakes apart whose
    /// segments may have the same names.
    pub(super) fn open(
        remote: Remote,
        options: CacheOptions,
        folder: &Path,
        lake: &str,
        budget: &Arc<Budget>,
    ) -> Result<Arc<Self>, Error> {
        let meter: Arc<Meter> = Arc::default();
        let limits = (options.disk_bytes_max, options.disk_free_bytes_min);
        let disk = match options.disk_bytes_max {
            0 => None,
            _ => Some(
                Disk::open(folder, lake, limits, options.block_bytes, Arc::clone(&meter))
                    .map_err(|error| disk_error(folder, error))?,
            ),
        };
        let reservation = budget.reservation(Use::Cache);
        let cache = Arc::new(Self {
            remote,
            options,
            memory: Mutex::new(Memory { blocks: Fifo::default(), reservation }),
            disk,
            flights: Mutex::default(),
            fetches: Semaphore::new(FETCHES_AT_ONCE),
            meter,
        });
        let holder: Weak<Self> = Arc::downgrade(&cache);
        budget.reclaim_from(holder);
        Ok(cache)
    }

    /// Whether an object is one that never changes and is read often.
    pub(super) fn takes(path: &str) -> bool {
        path.ends_with(".parquet") && !path.contains("/_delta_log/")
    }

    /// What it did and holds.
    pub(super) fn stats(&self) -> CacheStats {
        let disk_bytes = self.disk.as_ref().map_or(0, Disk::bytes);
        self.meter.read(self.memory.lock().blocks.bytes(), disk_bytes)
    }

    /// Ranges of an object, in their order. One that the object does not reach is shorter.
    pub(super) async fn read(
        self: &Arc<Self>,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, Error> {
        let path: Arc<str> = Arc::from(path);
        let mut numbers: Vec<u32> = Vec::new();
        for range in ranges {
            numbers.extend(self.blocks_of(range)?);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let blocks = self.blocks(&path, &numbers).await?;
        ranges.iter().map(|range| self.cut(&blocks, range)).collect()
    }

    /// Keeps the blocks of an object that is being written.
    pub(super) fn admit(&self, path: &str, part: &Written) {
        let block_bytes = self.options.block_bytes;
        let Written { bytes, offset, is_end, in_memory } = part;
        // Only blocks that are whole, or end with the object.
        let is_whole = offset.is_multiple_of(block_bytes)
            && (*is_end || (bytes.len() as u64).is_multiple_of(block_bytes));
        if !self.options.write_through || !Self::takes(path) || !is_whole {
            return;
        }
        let path: Arc<str> = Arc::from(path);
        let length = usize::try_from(block_bytes).unwrap_or(usize::MAX);
        for (at, block) in bytes.chunks(length).enumerate() {
            let Ok(number) = u32::try_from(offset / block_bytes + at as u64) else { return };
            let key = Key { path: Arc::clone(&path), block: number };
            let block = Bytes::copy_from_slice(block);
            if *in_memory {
                self.remember(key.clone(), &block);
            }
            if let Some(disk) = &self.disk {
                disk.offer(key, block);
            }
        }
    }

    /// Drops all blocks of objects; those that are under way reach who waits for them and are
    /// not kept.
    pub(super) fn forget(&self, paths: &HashSet<String>) {
        self.flights.lock().retain(|key, _| !paths.contains(&*key.path));
        {
            let mut memory = self.memory.lock();
            memory.blocks.remove_objects(paths);
            memory.settle();
        }
        if let Some(disk) = &self.disk {
            disk.forget(paths);
        }
    }

    fn blocks_of(&self, range: &Range<u64>) -> Result<Range<u32>, Error> {
        let number = |at: u64| {
            u32::try_from(at / self.options.block_bytes)
                .map_err(|_| Error::new(ErrorKind::Invalid, format!("no object has a byte {at}")))
        };
        if range.end <= range.start {
            return Ok(0..0);
        }
        Ok(number(range.start)?..number(range.end - 1)? + 1)
    }

    /// The bytes of a range out of the blocks that hold it.
    fn cut(&self, blocks: &HashMap<u32, Bytes>, range: &Range<u64>) -> Result<Bytes, Error> {
        let numbers = self.blocks_of(range)?;
        let part = |number: u32| {
            let begin = u64::from(number) * self.options.block_bytes;
            let block = blocks.get(&number).cloned().unwrap_or_default();
            let at = |offset: u64| {
                let offset = offset.saturating_sub(begin).min(block.len() as u64);
                usize::try_from(offset).unwrap_or(usize::MAX)
            };
            block.slice(at(range.start)..at(range.end))
        };
        if numbers.len() == 1 {
            return Ok(part(numbers.start));
        }
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let mut joined = BytesMut::with_capacity(length);
        for number in numbers {
            joined.extend_from_slice(&part(number));
        }
        Ok(joined.freeze())
    }

    /// Blocks by their numbers, which are sorted.
    async fn blocks(
        self: &Arc<Self>,
        path: &Arc<str>,
        numbers: &[u32],
    ) -> Result<HashMap<u32, Bytes>, Error> {
        let mut found = HashMap::with_capacity(numbers.len());
        let mut missing = Vec::new();
        {
            let mut memory = self.memory.lock();
            for number in numbers {
                let key = Key { path: Arc::clone(path), block: *number };
                match memory.blocks.get(&key) {
                    Some(bytes) => drop(found.insert(*number, bytes.clone())),
                    None => missing.push(key),
                }
            }
        }
        self.meter.memory_hits(found.len());
        if missing.is_empty() {
            return Ok(found);
        }
        for (number, mut outcome) in self.board(missing) {
            let landed = outcome.wait_for(Option::is_some).await;
            let landed = landed.map_err(|_| {
                Error::new(ErrorKind::Internal, format!("{path}: fetching was cut off"))
            })?;
            match &*landed {
                Some(Ok(bytes)) => drop(found.insert(number, bytes.clone())),
                Some(Err(error)) => return Err(Error::new(error.kind(), error.to_string())),
                None => {}
            }
        }
        Ok(found)
    }

    /// Joins flights that are under way and starts the others.
    fn board(self: &Arc<Self>, missing: Vec<Key>) -> Vec<(u32, watch::Receiver<Outcome>)> {
        let mut boarded = Vec::with_capacity(missing.len());
        let mut ours = Vec::new();
        {
            let mut flights = self.flights.lock();
            for key in missing {
                if let Some(flight) = flights.get(&key) {
                    boarded.push((key.block, flight.clone()));
                    continue;
                }
                // Landed since it was looked for: what lands is in memory before its flight ends.
                if let Some(bytes) = self.memory.lock().blocks.get(&key) {
                    boarded.push((key.block, watch::channel(Some(Ok(bytes.clone()))).1));
                    continue;
                }
                let (outcome, receiver) = watch::channel(None);
                boarded.push((key.block, receiver.clone()));
                flights.insert(key.clone(), receiver);
                ours.push(Flight { cache: Arc::clone(self), key, outcome });
            }
        }
        self.meter.shared(boarded.len() - ours.len());
        if !ours.is_empty() {
            // Not a part of the reader: others may wait for it when the reader is gone.
            tokio::spawn(Arc::clone(self).fly(ours));
        }
        boarded
    }

    /// Brings blocks of one object, sorted, from the disk or the bucket.
    async fn fly(self: Arc<Self>, flights: Vec<Flight>) {
        let (near, mut far): (Vec<Flight>, Vec<Flight>) = flights
            .into_iter()
            .partition(|flight| self.disk.as_ref().is_some_and(|disk| disk.contains(&flight.key)));
        let reads = near.into_iter().map(|flight| {
            let cache = Arc::clone(&self);
            tokio::task::spawn_blocking(move || {
                let read = cache.disk.as_ref().and_then(|disk| disk.read(&flight.key));
                (flight, read)
            })
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
        while let Some(Ok((flight, read))) = reads.next().await {
            match read {
                Some(bytes) => {
                    self.meter.disk_hits(1);
                    flight.keep(&bytes, false);
                    flight.outcome.send_replace(Some(Ok(bytes)));
                }
                None => far.push(flight),
            }
        }
        far.sort_unstable_by_key(|flight| flight.key.block);
        self.meter.misses(far.len());
        let fetches = self.group(far).into_iter().map(|group| self.fetch(group));
        futures::stream::iter(fetches).buffer_unordered(READS_AT_ONCE).collect::<()>().await;
    }

    /// Puts neighbours together, up to the size of a request.
    fn group(&self, flights: Vec<Flight>) -> Vec<Vec<Flight>> {
        let blocks_max = usize::try_from(FETCH_BYTES_MAX / self.options.block_bytes).unwrap_or(1);
        let mut groups: Vec<Vec<Flight>> = Vec::new();
        for flight in flights {
            match groups.last_mut() {
                Some(group)
                    if group.len() < blocks_max
                        && group.last().is_some_and(|l| l.key.block + 1 == flight.key.block) =>
                {
                    group.push(flight);
                }
                _ => groups.push(vec![flight]),
            }
        }
        groups
    }

    /// Fetches neighbouring blocks in one request.
    async fn fetch(&self, group: Vec<Flight>) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
        let block_bytes = self.options.block_bytes;
        let begin = u64::from(first.key.block) * block_bytes;
        let end = (u64::from(last.key.block) + 1) * block_bytes;
        let fetched = {
            // Never closed, so there is always a permit to wait for.
            let _permit = self.fetches.acquire().await;
            self.remote.read_range(&first.key.path, begin..end).await
        };
        let fetched = fetched.map_err(Arc::new);
        for flight in group {
            let outcome = fetched.as_ref().map_err(Arc::clone).map(|bytes| {
                let at = |offset: u64| {
                    let offset = (offset - begin).min(bytes.len() as u64);
                    usize::try_from(offset).unwrap_or(usize::MAX)
                };
                let start = u64::from(flight.key.block) * block_bytes;
                // A copy: a block must not keep its neighbours in memory.
                let block = bytes.slice(at(start)..at(start + block_bytes));
                let block = Bytes::copy_from_slice(&block);
                flight.keep(&block, true);
                block
            });
            flight.outcome.send_replace(Some(outcome));
        }
    }

    /// Keeps a block in memory if there is room, or others can go.
    fn remember(&self, key: Key, block: &Bytes) {
        let bytes = block.len();
        let mut memory = self.memory.lock();
        while memory.reservation.grow(bytes).is_err() {
            // Nothing left to give up: somebody else has the memory.
            let Some((_, gone)) = memory.blocks.evict() else { return };
            self.meter.evicted_from_memory();
            memory.reservation.shrink(usize::try_from(gone).unwrap_or(usize::MAX));
        }
        memory.blocks.insert(key, block.clone(), bytes as u64);
        memory.settle();
    }
}

impl Memory {
    /// Makes the reservation what the blocks hold.
    fn settle(&mut self) {
        let held = usize::try_from(self.blocks.bytes()).unwrap_or(usize::MAX);
        let over = self.reservation.bytes().saturating_sub(held);
        self.reservation.shrink(over);
    }
}

impl Reclaim for Cache {
    fn reclaim(&self, bytes: usize) {
        let mut memory = self.memory.lock();
        let mut freed = 0;
        while freed < bytes as u64 {
            let Some((_, gone)) = memory.blocks.evict() else { break };
            self.meter.evicted_from_memory();
            freed += gone;
        }
        memory.settle();
    }
}

#[cfg(test)]
mod tests;
