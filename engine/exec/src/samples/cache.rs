//! What is kept, and what goes first: the parts that were not used for the longest time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use storage::{Budget, Reclaim, Reservation, Use};

use super::Runs;

/// Memory of a part beside its samples: its places in the maps.
const PART_BYTES: usize = 128;

/// Parts are given up until so much of the limit is free, so that not every new one has to ask.
const FREED_PART: usize = 8;

/// Questions after which a part that was too large is tried again.
const RETRY_AFTER: u64 = 100;

/// Decoded samples of segments, by segment and metric.
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
    segments: HashMap<Arc<str>, HashMap<i64, Part, ahash::RandomState>, ahash::RandomState>,
    reservation: Reservation,
    /// Counts questions: what a part is stamped with when it is used.
    clock: u64,
    /// Until when queries that are not sure to fit go to the segments.
    too_large_until: u64,
}

struct Part {
    runs: Arc<Runs>,
    bytes: usize,
    used: u64,
}

impl SampleCache {
    /// An empty cache that holds up to `bytes_max` of what the budget leaves to caches; 0 keeps
    /// nothing.
    pub(crate) fn new(budget: &Arc<Budget>, bytes_max: usize) -> Arc<Self> {
        let inner = Inner {
            segments: HashMap::default(),
            reservation: budget.reservation(Use::Cache),
            clock: 0,
            too_large_until: 0,
        };
        let cache = Arc::new(Self { inner: Mutex::new(inner), bytes_max });
        let holder: Weak<Self> = Arc::downgrade(&cache);
        budget.reclaim_from(holder);
        cache
    }

    /// Bytes it may hold.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The parts of a segment for some metrics, in their order.
    pub(crate) fn get(&self, segment: &str, metrics: &[i64]) -> Vec<Option<Arc<Runs>>> {
        let mut inner = self.inner.lock();
        let now = inner.clock;
        let Some(parts) = inner.segments.get_mut(segment) else { return vec![None; metrics.len()] };
        let found = |metric| {
            let part = parts.get_mut(metric)?;
            part.used = now;
            Some(Arc::clone(&part.runs))
        };
        metrics.iter().map(found).collect()
    }

    /// Begins a question; whether it may fill the cache with more than it is sure to hold.
    pub(crate) fn ask(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        inner.clock >= inner.too_large_until
    }

    /// Remembers that what a question needs is too large.
    pub(crate) fn was_too_large(&self) {
        let mut inner = self.inner.lock();
        inner.too_large_until = inner.clock + RETRY_AFTER;
    }

    /// Keeps a part if there is room, older ones given up for it.
    pub(crate) fn put(&self, segment: &Arc<str>, metric: i64, runs: &Arc<Runs>) {
        let bytes = runs.bytes() + PART_BYTES;
        let mut inner = self.inner.lock();
        if inner.reservation.bytes() + bytes > self.bytes_max {
            let excess = inner.reservation.bytes() + bytes - self.bytes_max;
            inner.free(excess.saturating_add(self.bytes_max / FREED_PART));
        }
        let fits = inner.reservation.bytes() + bytes <= self.bytes_max;
        if !fits || inner.reservation.grow(bytes).is_err() {
            return;
        }
        let part = Part { runs: Arc::clone(runs), bytes, used: inner.clock };
        let replaced = inner.segments.entry(Arc::clone(segment)).or_default().insert(metric, part);
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
    /// Gives up parts, the longest unused first, until so many bytes are free or none is left.
    fn free(&mut self, bytes: usize) {
        let parts = self.segments.iter().flat_map(|(segment, parts)| {
            parts.iter().map(|(metric, part)| (part.used, part.bytes, Arc::clone(segment), *metric))
        });
        let mut parts: Vec<(u64, usize, Arc<str>, i64)> = parts.collect();
        parts.sort_unstable();
        let mut freed = 0;
        for (_, part_bytes, segment, metric) in parts {
            if freed >= bytes {
                break;
            }
            if let Some(others) = self.segments.get_mut(&segment) {
                others.remove(&metric);
                if others.is_empty() {
                    self.segments.remove(&segment);
                }
            }
            freed += part_bytes;
        }
        self.reservation.shrink(freed);
    }
}

impl Reclaim for SampleCache {
    fn reclaim(&self, bytes: usize) {
        self.inner.lock().free(bytes);
    }
}
