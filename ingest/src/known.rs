//! Known series: from the labels of a sample, as they were sent, straight to its series.
//!
//! ```text
//!  raw bytes of the labels ─ xxh3-128 ─▶ bucket of four entries ─▶ series, metric, day it is known for
//!  (seeded: tenant, limits, resource, name)      │
//!                                                └ nothing? decode, sort, hash, ask the index, put
//! ```
//!
//! What makes most of the work of taking samples in are labels that were there a few seconds ago
//! with the same bytes. Which series bytes mean depends on nothing else than what the seed is made
//! of; whether the index knows it for a day is remembered together with the index' generation.
//!
//! Entries are read and written without locks. What two writers leave mixed fails its check and
//! counts as absent.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use parking_lot::{Mutex, RwLock};
use storage::{Budget, LabelIndex, Reservation, Use};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use crate::decode::NameCache;
use crate::limits::Limits;

/// Check, series, metric, generation with day.
type Entry = [AtomicU64; 4];

/// Entries of a bucket.
const BUCKET_ENTRIES: usize = 4;

/// Entries that are looked through together. They begin with a cache line, and a pair of such as
/// processors fetch them.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Bucket([Entry; BUCKET_ENTRIES]);

/// Buckets at the start: 64 KiB.
const BUCKETS_MIN: usize = 1 << 9;

/// Buckets at most, 32 MiB: more than a million series of which the samples come in turn are
/// decoded each time.
const BUCKETS_MAX: usize = 1 << 18;

/// The same without a budget, 8 MiB.
const BUCKETS_UNRESERVED_MAX: usize = 1 << 16;

/// By how much the table grows.
const GROWTH: usize = 4;

/// The table grows if more than one in so many lookups drives an entry out.
const LOOKUPS_PER_EVICTION: u64 = 32;

/// Bits of a word that hold the day.
const DAY_BITS: u32 = 24;

/// The series of all tenants whose samples came lately.
#[derive(Debug)]
pub(crate) struct KnownSeries {
    seed: u64,
    table: RwLock<Arc<Table>>,
    /// The part of the memory budget that the table takes; `None` without one.
    room: Mutex<Option<Reservation>>,
    buckets_max: usize,
    /// Lookups and evictions since the table was last looked at.
    looked: AtomicU64,
    evicted: AtomicU64,
    /// Names of metrics.
    pub(crate) names: NameCache,
}

/// Buckets, a power of two in number.
type Table = [Bucket];

/// What is known of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The id of the series.
    pub(crate) series: i64,
    /// The id of its metric.
    pub(crate) metric: i64,
    /// The last day on which a lookup found it in the index; `None` if something was forgotten
    /// there since.
    pub(crate) day: Option<i32>,
}

/// The hash of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    /// Of bytes whose meaning `seed` determines.
    pub(crate) fn new(bytes: &[u8], seed: u64) -> Self {
        Self(xxh3_128_with_seed(bytes, seed))
    }

    /// Of one of several series that the same labels give.
    pub(crate) fn part(self, part: u64) -> Self {
        Self(xxh3_128_with_seed(&self.0.to_le_bytes(), part))
    }
}

/// The lookups of one request.
#[derive(Debug)]
pub(crate) struct Lookup<'k> {
    known: &'k KnownSeries,
    table: Arc<Table>,
    generation: u64,
    seed: u64,
    looked: u64,
    evicted: u64,
}

impl Default for KnownSeries {
    fn default() -> Self {
        Self::new(None, BUCKETS_UNRESERVED_MAX)
    }
}

impl KnownSeries {
    /// A small table that grows within the budget.
    pub(crate) fn within(budget: &Arc<Budget>) -> Self {
        Self::new(Some(budget.reservation(Use::Index)), BUCKETS_MAX)
    }

    fn new(room: Option<Reservation>, buckets_max: usize) -> Self {
        Self {
            // Nobody outside can choose labels that share a bucket.
            seed: RandomState::new().build_hasher().finish(),
            table: RwLock::new(table(BUCKETS_MIN)),
            room: Mutex::new(room),
            buckets_max,
            looked: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            names: NameCache::default(),
        }
    }

    /// Lookups for a request of a tenant, whose series are those of `index`.
    pub(crate) fn lookup(&self, tenant: &str, limits: &Limits, index: &LabelIndex) -> Lookup<'_> {
        let mut seed = xxh3_64_with_seed(tenant.as_bytes(), self.seed);
        // What was refused under one limit may be taken under another.
        for limit in [
            limits.attributes_max,
            limits.attribute_key_bytes_max,
            limits.attribute_value_bytes_max,
            limits.labels_max,
            limits.label_name_bytes_max,
            limits.label_value_bytes_max,
        ] {
            seed = xxh3_64_with_seed(&limit.to_le_bytes(), seed);
        }
        Lookup {
            known: self,
            table: Arc::clone(&self.table.read()),
            generation: index.generation(),
            seed,
            looked: 0,
            evicted: 0,
        }
    }

    /// Makes the table larger if it drives out too much.
    fn settle(&self, looked: u64, evicted: u64) {
        let looked = self.looked.fetch_add(looked, Ordering::Relaxed) + looked;
        let evicted = self.evicted.fetch_add(evicted, Ordering::Relaxed) + evicted;
        let buckets = self.table.read().len();
        if looked < (buckets * BUCKET_ENTRIES) as u64 {
            return;
        }
        self.looked.store(0, Ordering::Relaxed);
        self.evicted.store(0, Ordering::Relaxed);
        let wanted = (buckets * GROWTH).min(self.buckets_max);
        if evicted * LOOKUPS_PER_EVICTION <= looked || wanted <= buckets {
            return;
        }
        if let Some(room) = self.room.lock().as_mut()
            && room.resize(wanted * size_of::<Bucket>()).is_err()
        {
            return;
        }
        // What was known comes again with its next sample.
        *self.table.write() = table(wanted);
    }
}

fn table(buckets: usize) -> Arc<Table> {
    (0..buckets).map(|_| Bucket::default()).collect()
}

/// The words of an entry as they are at this moment, perhaps of two writers.
fn words(entry: &Entry) -> [u64; 4] {
    entry.each_ref().map(|word| word.load(Ordering::Relaxed))
}

impl Lookup<'_> {
    /// What the keys of the request's labels are seeded with.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// What is known of labels.
    pub(crate) fn get(&mut self, key: Key) -> Option<Found> {
        self.looked += 1;
        let (tag, bucket) = self.place(key);
        for entry in &bucket.0 {
            let [check, series, metric, seen] = words(entry);
            if check == check_of(tag, series, metric, seen) {
                let (generation, day) = split(seen);
                let day = (generation == self.generation & GENERATION).then_some(day);
                return Some(Found { series: series as i64, metric: metric as i64, day });
            }
        }
        None
    }

    /// Remembers a series that the index knows for a day, as [`LabelIndex::contains`] has told
    /// since the lookups began.
    pub(crate) fn put(&mut self, key: Key, series: i64, metric: i64, day: i32) {
        let (tag, bucket) = self.place(key);
        let (series, metric) = (series as u64, metric as u64);
        let seen = (self.generation << DAY_BITS) | (day as u64 & DAY);
        let entries = &bucket.0;
        let is_same = |entry: &&Entry| {
            let [check, series, metric, seen] = words(entry);
            check == 0 || check == check_of(tag, series, metric, seen)
        };
        let mut is_evicted = false;
        let entry = entries.iter().find(is_same).unwrap_or_else(|| {
            is_evicted = true;
            // Any will do that is not always the same.
            &entries[(tag >> 32) as usize % BUCKET_ENTRIES]
        });
        entry[1].store(series, Ordering::Relaxed);
        entry[2].store(metric, Ordering::Relaxed);
        entry[3].store(seen, Ordering::Relaxed);
        entry[0].store(check_of(tag, series, metric, seen), Ordering::Relaxed);
        self.evicted += u64::from(is_evicted);
    }

    fn place(&self, Key(key): Key) -> (u64, &Bucket) {
        let at = key as usize & (self.table.len() - 1);
        ((key >> 64) as u64, &self.table[at])
    }
}

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        self.known.settle(self.looked, self.evicted);
    }
}

const DAY: u64 = (1 << DAY_BITS) - 1;
const GENERATION: u64 = u64::MAX >> DAY_BITS;

/// Generation and day of a word.
fn split(seen: u64) -> (u64, i32) {
    // Up moves the sign of the day to that of the number, down spreads it.
    let day = ((seen as i32) << (32 - DAY_BITS)) >> (32 - DAY_BITS);
    (seen >> DAY_BITS, day)
}

/// Ties the words of an entry together; never zero but by the rarest chance.
fn check_of(tag: u64, series: u64, metric: u64, seen: u64) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = (series ^ tag.rotate_left(23)).wrapping_mul(MIX);
    let mixed = (mixed ^ metric.rotate_left(31)).wrapping_mul(MIX);
    tag ^ (mixed ^ seen).wrapping_mul(MIX).rotate_left(32)
}

#[cfg(test)]
mod tests;
