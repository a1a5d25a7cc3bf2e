//! Footers of segments that are kept for the next query: where columns and pages are.
//!
//! ```text
//!  query ─ get ─▶ kept? ─ no: read, parse, put ─▶ kept within memory.cache, the longest unused
//!                                                 go first
//! ```
//!
//! What a segment's footer takes depends on its columns and pages. It is reserved from the memory
//! budget as it comes, given back when somebody needs it, and dropped when its segment is merged
//! away.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use datafusion::common::{HashMap, TableReference};
use datafusion::execution::cache::cache_manager::CachedFileMetadataEntry;
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheEntryInfo};
use object_store::path::Path;
use parking_lot::Mutex;
use storage::{Budget, Keeper, Reclaim, Reservation, Use};

/// Footers within the memory budget.
pub(crate) struct Footers {
    kept: DefaultCache<Path, CachedFileMetadataEntry>,
    /// What they take; locked while their number changes.
    held: Mutex<Reservation>,
}

impl fmt::Debug for Footers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Footers").field("bytes", &self.kept.memory_used()).finish_non_exhaustive()
    }
}

impl Footers {
    /// No footers yet, and never more than `bytes_max` of what the budget leaves to caches.
    pub(crate) fn new(budget: &Arc<Budget>, bytes_max: usize) -> Arc<Self> {
        let held = Mutex::new(budget.reservation(Use::Cache));
        let footers = Arc::new(Self { kept: DefaultCache::new(bytes_max), held });
        let holder: Weak<Self> = Arc::downgrade(&footers);
        budget.reclaim_from(holder);
        footers
    }

    /// Gives back what is not held any more.
    fn settle(&self, held: &mut Reservation) {
        held.shrink(held.bytes().saturating_sub(self.kept.memory_used()));
    }
}

impl Cache<Path, CachedFileMetadataEntry> for Footers {
    fn get(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        self.kept.get(path)
    }

    fn put(&self, path: &Path, footer: CachedFileMetadataEntry) -> Option<CachedFileMetadataEntry> {
        let mut held = self.held.lock();
        let replaced = self.kept.put(path, footer);
        self.settle(&mut held);
        let more = self.kept.memory_used() - held.bytes();
        if held.grow(more).is_err() {
            self.kept.remove(path);
            self.settle(&mut held);
        }
        replaced
    }

    fn remove(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        let mut held = self.held.lock();
        let removed = self.kept.remove(path);
        self.settle(&mut held);
        removed
    }

    fn contains_key(&self, path: &Path) -> bool {
        self.kept.contains_key(path)
    }

    fn len(&self) -> usize {
        self.kept.len()
    }

    fn clear(&self) {
        let mut held = self.held.lock();
        self.kept.clear();
        self.settle(&mut held);
    }

    fn name(&self) -> String {
        "footers".to_owned()
    }

    fn cache_limit(&self) -> usize {
        self.kept.cache_limit()
    }

    fn update_cache_limit(&self, bytes_max: usize) {
        let mut held = self.held.lock();
        self.kept.update_cache_limit(bytes_max);
        self.settle(&mut held);
    }

    fn cache_ttl(&self) -> Option<Duration> {
        self.kept.cache_ttl()
    }

    fn update_cache_ttl(&self, ttl: Option<Duration>) {
        self.kept.update_cache_ttl(ttl);
    }

    fn drop_table_entries(&self, table: &TableReference) -> datafusion::error::Result<()> {
        let mut held = self.held.lock();
        let dropped = self.kept.drop_table_entries(table);
        self.settle(&mut held);
        dropped
    }

    fn list_entries(&self) -> HashMap<Path, CacheEntryInfo<CachedFileMetadataEntry>> {
        self.kept.list_entries()
    }
}

impl Reclaim for Footers {
    fn reclaim(&self, bytes: usize) {
        let mut held = self.held.lock();
        let bytes_max = self.kept.cache_limit();
        // The longest unused go when the limit sinks.
        self.kept.update_cache_limit(self.kept.memory_used().saturating_sub(bytes));
        self.kept.update_cache_limit(bytes_max);
        self.settle(&mut held);
    }
}

impl Keeper for Footers {
    fn forget(&self, paths: &[&str]) {
        let mut held = self.held.lock();
        for path in paths {
            self.kept.remove(&Path::from(*path));
        }
        self.settle(&mut held);
    }
}

#[cfg(test)]
mod tests;
