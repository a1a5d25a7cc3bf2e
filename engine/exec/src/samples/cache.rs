//! What is kept, and what goes first: the parts that were not used for the longest time.
//!
//! What a query asks for is stamped with the query's number. A query never drives out what it has
//! asked for itself: of samples that are too many for the cache, the first ones stay and serve the
//! next query, instead of each part making room for the one after it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use storage::{Budget, Keeper, Reclaim, Reservation, Use};

use super::Runs;
use super::directory::Directory;
use super::segment::Map;

/// Memory of a part beside its samples: its places in the maps.
const PART_BYTES: usize = 128;

/// Parts are given up until so much of the limit is free, so that not every new one has to ask.
const FREED_PART: usize = 8;

/// What is kept of a segment.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// Of all of it: where metrics are.
    Map(Arc<Map>),
    /// Of a row group: where series are.
    Directory(Arc<Directory>),
    /// Of a block of a row group: its samples.
    Runs(Arc<Runs>),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Map(map) => map.bytes(),
            Self::Directory(directory) => directory.bytes(),
            Self::Runs(runs) => runs.bytes(),
        }
    }
}

/// Which part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// A [`Map`].
    Map,
    /// The [`Directory`] of a row group.
    Directory(u32),
    /// The [`Runs`] of a row group and block.
    Runs(u32, u32),
}

/// Decoded samples of segments, and what tells where they are.
pub(crate) struct SampleCache {
    inner: Mutex<Inner>,
    bytes_max: usize,
}

impl fmt::Debug for SampleCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampleCache").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

struct Inner {
    segments: HashMap<Arc<str>, HashMap<Part, Entry, ahash::RandomState>, ahash::RandomState>,
    reservation: Reservation,
    /// Number of the newest query.
    newest: u64,
    /// Newest query for which nothing older was left to give up.
    full_for: u64,
}

struct Entry {
    kept: Kept,
    bytes: usize,
    /// The query that used it last.
    used: u64,
}

impl SampleCache {
    /// An empty cache that holds up to `bytes_max` of what the budget leaves to caches; 0 keeps
    /// nothing.
    pub(crate) fn new(budget: &Arc<Budget>, bytes_max: usize) -> Arc<Self> {
        let inner = Inner {
            segments: HashMap::default(),
            reservation: budget.reservation(Use::Cache),
            newest: 0,
            full_for: 0,
        };
        let cache = Arc::new(Self { inner: Mutex::new(inner), bytes_max });
        let holder: Weak<Self> = Arc::downgrade(&cache);
        budget.reclaim_from(holder);
        cache
    }

    /// Begins a query: its number.
    pub(crate) fn ask(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.newest += 1;
        inner.newest
    }

    /// A part of a segment, for a query of this number.
    pub(super) fn get(&self, segment: &str, part: Part, query: u64) -> Option<Kept> {
        let mut inner = self.inner.lock();
        let entry = inner.segments.get_mut(segment)?.get_mut(&part)?;
        entry.used = entry.used.max(query);
        Some(entry.kept.clone())
    }

    /// Keeps a part for a query of this number if there is room, older ones given up for it.
    pub(super) fn put(&self, segment: &Arc<str>, part: Part, kept: Kept, query: u64) {
        let bytes = kept.bytes() + PART_BYTES;
        let mut inner = self.inner.lock();
        let excess = (inner.reservation.bytes() + bytes).saturating_sub(self.bytes_max);
        if excess > 0 && inner.full_for < query {
            let wanted = excess.saturating_add(self.bytes_max / FREED_PART);
            if inner.free(wanted, query) < wanted {
                inner.full_for = query;
            }
        }
        let fits = inner.reservation.bytes() + bytes <= self.bytes_max;
        if !fits || inner.reservation.grow(bytes).is_err() {
            return;
        }
        let entry = Entry { kept, bytes, used: query };
        let replaced = inner.segments.entry(Arc::clone(segment)).or_default().insert(part, entry);
        if let Some(replaced) = replaced {
            inner.reservation.shrink(replaced.bytes);
        }
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.inner.lock().reservation.bytes()
    }
}

impl Inner {
    /// Gives up parts that were last used before a query, the longest unused first, until so many
    /// bytes are free or none is left; the bytes that are.
    fn free(&mut self, bytes: usize, before: u64) -> usize {
        let parts = self.segments.iter().flat_map(|(segment, parts)| {
            let old = parts.iter().filter(|(_, entry)| entry.used < before);
            old.map(|(part, entry)| (entry.used, Arc::clone(segment), *part, entry.bytes))
        });
        let mut parts: Vec<(u64, Arc<str>, Part, usize)> = parts.collect();
        parts.sort_unstable();
        let mut freed = 0;
        for (_, segment, part, part_bytes) in parts {
            if freed >= bytes {
                break;
            }
            if let Some(others) = self.segments.get_mut(&segment) {
                others.remove(&part);
                if others.is_empty() {
                    self.segments.remove(&segment);
                }
            }
            freed += part_bytes;
        }
        self.reservation.shrink(freed);
        freed
    }
}

impl Keeper for SampleCache {
    fn forget(&self, paths: &[&str]) {
        let mut inner = self.inner.lock();
        for path in paths {
            let parts = inner.segments.remove(*path);
            let bytes = parts.iter().flat_map(HashMap::values).map(|entry| entry.bytes).sum();
            inner.reservation.shrink(bytes);
        }
    }
}

impl Reclaim for SampleCache {
    fn reclaim(&self, bytes: usize) {
        self.inner.lock().free(bytes, u64::MAX);
    }
}
