//! Objects of the lake: created once, never changed, durable when created.
//!
//! ```text
//!  create, upload ─┐                       ┌─ local: files, synced before they get a name
//!  find, read ─────┼─▶ Objects ─▶ Place ───┤
//!  list, delete ───┘      ▲                └─ remote: a bucket, asked a few times if need be
//!                         └─ reader: the same for engines above, through a cache of blocks
//! ```
//!
//! Everything that is asked is counted ([`ObjectStats`]), of a local disk, too.

mod cache;
#[cfg(test)]
pub(crate) mod fixtures;
mod local;
mod reader;
mod refused;
mod remote;
mod stats;
mod upload;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{Error as ObjectError, ObjectMeta, ObjectStore, ObjectStoreExt};

use self::cache::{Cache, Written};
pub use self::cache::{CacheOptions, CacheStats};
pub(crate) use self::local::{disk, sync_folder};
use self::reader::Reader;
pub use self::refused::Refused;
pub use self::remote::{Bucket, Remote, RequestLimits};
use self::stats::Meter;
pub use self::stats::{ObjectStats, OperationStats, RequestKind};
pub(crate) use self::upload::Upload;
use crate::{Budget, Error, ErrorKind};

/// Ranges of one object that are asked for at once.
const RANGES_AT_ONCE: usize = 8;

/// New segments up to this size are kept in memory when they are written; larger ones, which
/// would drive out all others, on disk only.
const NEW_BYTES_MAX: usize = 16 << 20;

/// Whether an object was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// By this call, or by an earlier attempt of it whose answer was lost.
    New,
    /// It was there before, or another writer was faster.
    Exists,
}

/// An object as a listing tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its path in the lake.
    pub(crate) path: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it was written, by the clock of the store, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// Where segments and catalogs lie. Clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    place: Arc<Place>,
    cache: Option<Arc<Cache>>,
}

#[derive(Debug)]
enum Place {
    /// A folder of the local disk.
    Disk { root: PathBuf, store: LocalFileSystem, meter: Arc<Meter> },
    /// A folder of a bucket.
    Bucket(Remote),
}

impl Objects {
    /// A folder of the local disk, created if absent.
    pub(crate) fn local(root: &Path) -> Result<Self, Error> {
        local::open(root).map_err(|error| disk(root, error))?;
        let store = LocalFileSystem::new_with_prefix(root).map_err(|error| {
            Error::with_source(ErrorKind::Unavailable, "the lake's folder cannot be opened", error)
        })?;
        let place = Place::Disk { root: root.to_owned(), store, meter: Arc::default() };
        Ok(Self { place: Arc::new(place), cache: None })
    }

    /// A folder of a bucket.
    pub(crate) fn remote(remote: Remote) -> Self {
        Self { place: Arc::new(Place::Bucket(remote)), cache: None }
    }

    /// The same place with a cache of blocks for readers, kept in `folder`, too. A local disk is
    /// its own cache.
    pub(crate) async fn with_cache(
        self,
        options: &CacheOptions,
        folder: &Path,
        budget: &Arc<Budget>,
    ) -> Result<Self, Error> {
        let Place::Bucket(remote) = &*self.place else { return Ok(self) };
        let lake = remote.identity().await?;
        let cache = Cache::open(remote.clone(), options.clone(), folder, &lake, budget)?;
        Ok(Self { cache: Some(cache), ..self })
    }

    /// The lake for readers above storage.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(Reader { objects: self.clone() })
    }

    /// What the cache of blocks did.
    pub(crate) fn cache_stats(&self) -> CacheStats {
        self.cache.as_ref().map(|cache| cache.stats()).unwrap_or_default()
    }

    /// What was asked so far.
    pub(crate) fn stats(&self) -> ObjectStats {
        match &*self.place {
            Place::Disk { meter, .. } => meter.read(),
            Place::Bucket(remote) => remote.meter.read(),
        }
    }

    /// Creates an object if there is none of that name.
    ///
    /// `Unavailable` if the store does not answer: the object may be there all the same, or
    /// appear later.
    pub(crate) async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, Error> {
        match &*self.place {
            Place::Bucket(remote) => remote.create(path, bytes).await,
            Place::Disk { root, meter, .. } => {
                let (began, length) = (Instant::now(), bytes.len() as u64);
                let (folder, name) = (root.clone(), path.to_owned());
                let work = move || local::create(&folder, &name, &bytes);
                let created = local::blocking(root.join(path), work).await;
                record(meter, RequestKind::Put, began, &created);
                if matches!(created, Ok(Created::New)) {
                    meter.moved(RequestKind::Put, length);
                }
                created
            }
        }
    }

    /// Begins an object that is written piece by piece.
    ///
    /// No other writer may use its name: on a bucket, a large object replaces one of the same
    /// name that appears in the moment in which it is finished.
    pub(crate) fn upload(&self, path: &str) -> Upload {
        Upload::new(self.clone(), path)
    }

    /// Writes an object whose name is its writer's alone and that no commit names yet: whatever
    /// an earlier attempt has left there is made to hold these bytes.
    pub(crate) async fn write(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let mut upload = self.upload(path);
        upload.write(&bytes).await?;
        // The same rows mostly have the same bytes, and what is not written cannot go wrong.
        if upload.finish().await?.created == Created::Exists
            && self.find(path).await?.is_none_or(|found| found != bytes)
        {
            self.replace(path, bytes.clone()).await?;
        }
        if let Some(cache) = &self.cache {
            let in_memory = bytes.len() <= NEW_BYTES_MAX;
            cache.admit(path, &Written { bytes, offset: 0, is_end: true, in_memory });
        }
        Ok(())
    }

    /// Writes an object whatever was there before; readers find the one or the other.
    pub(crate) async fn overwrite(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        match &*self.place {
            Place::Bucket(remote) => remote.replace(path, bytes).await,
            Place::Disk { root, meter, .. } => {
                let (began, length) = (Instant::now(), bytes.len() as u64);
                let (folder, name) = (root.clone(), path.to_owned());
                let work = move || local::overwrite(&folder, &name, &bytes);
                let written = local::blocking(root.join(path), work).await;
                record(meter, RequestKind::Put, began, &written);
                if written.is_ok() {
                    meter.moved(RequestKind::Put, length);
                }
                written
            }
        }
    }

    /// Writes an object again that exists already, but that no commit names.
    async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        self.forget(path);
        match &*self.place {
            Place::Bucket(remote) => remote.replace(path, bytes).await,
            Place::Disk { .. } => {
                self.delete(path).await?;
                self.create(path, bytes).await.map(|_| ())
            }
        }
    }

    /// The whole object. `Damaged` if there is none of that name.
    pub(crate) async fn read(&self, path: &str) -> Result<Bytes, Error> {
        self.find(path).await?.ok_or_else(|| missing(path))
    }

    /// The whole object; `None` if there is none of that name.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Bytes>, Error> {
        match &*self.place {
            Place::Bucket(remote) => remote.find(path).await,
            Place::Disk { root, store, meter } => {
                let began = Instant::now();
                let read = async { store.get(&ObjectPath::from(path)).await?.bytes().await };
                let found = match read.await {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(ObjectError::NotFound { .. }) => Ok(None),
                    Err(error) => Err(unreadable(&root.join(path), error)),
                };
                record(meter, RequestKind::Get, began, &found);
                let length = found.as_ref().map_or(0, |found| found.as_ref().map_or(0, Bytes::len));
                meter.moved(RequestKind::Get, length as u64);
                found
            }
        }
    }

    /// Bytes of an object, through the cache. `Damaged` if there is none of that name, or if it
    /// ends before.
    pub(crate) async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let mut read = self.read_cached(path, std::slice::from_ref(&range)).await?;
        read.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "a range was not answered"))
    }

    /// Several ranges of an object, in their order. `Damaged` if there is none of that name, or if
    /// it ends before.
    pub(crate) async fn read_ranges(
        &self,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, Error> {
        let read = match &*self.place {
            Place::Bucket(remote) => {
                let reads = ranges.iter().cloned().map(|range| remote.read_range(path, range));
                let reads: Vec<_> = reads.collect();
                futures::stream::iter(reads).buffered(RANGES_AT_ONCE).try_collect().await?
            }
            Place::Disk { root, store, meter } => {
                let began = Instant::now();
                let read = store.get_ranges(&ObjectPath::from(path), ranges).await;
                let read = read.map_err(|error| match error {
                    ObjectError::NotFound { .. } => missing(path),
                    error => too_short(&root.join(path), ranges)
                        .unwrap_or_else(|| unreadable(&root.join(path), error)),
                });
                record(meter, RequestKind::Get, began, &read);
                let read: Vec<Bytes> = read?;
                meter.moved(RequestKind::Get, read.iter().map(|bytes| bytes.len() as u64).sum());
                read
            }
        };
        check_lengths(path, ranges, &read)?;
        Ok(read)
    }

    /// Several ranges of an object that others will want to read, too, in their order.
    /// `Damaged` as for one.
    pub(crate) async fn read_cached(
        &self,
        path: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, Error> {
        match &self.cache {
            Some(cache) if Cache::takes(path) => {
                let read = cache.read(path, ranges).await?;
                check_lengths(path, ranges, &read)?;
                Ok(read)
            }
            _ => self.read_ranges(path, ranges).await,
        }
    }

    /// Drops what the cache holds of objects.
    pub(crate) fn forget_all(&self, paths: &HashSet<String>) {
        if let Some(cache) = &self.cache {
            cache.forget(paths);
        }
    }

    fn forget(&self, path: &str) {
        self.forget_all(&HashSet::from([path.to_owned()]));
    }

    /// Size and age of an object; `None` if there is none of that name.
    pub(crate) async fn head(&self, path: &str) -> Result<Option<Listed>, Error> {
        match &*self.place {
            Place::Bucket(remote) => remote.head(path).await,
            Place::Disk { root, store, meter } => {
                let began = Instant::now();
                let found = match store.head(&ObjectPath::from(path)).await {
                    Ok(meta) => Ok(Some(listed(&meta))),
                    Err(ObjectError::NotFound { .. }) => Ok(None),
                    Err(error) => Err(unreadable(&root.join(path), error)),
                };
                record(meter, RequestKind::Head, began, &found);
                found
            }
        }
    }

    /// Removes an object; nothing happens if there is none.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Error> {
        // Before, for nothing of it is left when the process dies in between; and after, for a
        // reader may have brought blocks of it meanwhile.
        self.forget(path);
        let deleted = self.delete_object(path).await;
        self.forget(path);
        deleted
    }

    async fn delete_object(&self, path: &str) -> Result<(), Error> {
        match &*self.place {
            Place::Bucket(remote) => remote.delete(path).await,
            Place::Disk { root, meter, .. } => {
                let began = Instant::now();
                let (folder, name) = (root.clone(), path.to_owned());
                let work = move || local::delete(&folder, &name);
                let deleted = local::blocking(root.join(path), work).await;
                record(meter, RequestKind::Delete, began, &deleted);
                deleted
            }
        }
    }

    /// Objects below a folder, sorted by path; about 200 bytes of memory each. The empty folder
    /// is the whole lake.
    pub(crate) async fn list_with_sizes(&self, folder: &str) -> Result<Vec<Listed>, Error> {
        self.list_after(folder, None).await
    }

    /// Objects below a folder whose paths come after `after`, sorted by path.
    pub(crate) async fn list_after(
        &self,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<Listed>, Error> {
        let mut found: Vec<Listed> = match &*self.place {
            Place::Bucket(remote) => remote.list(folder, after).await?,
            Place::Disk { root, store, meter } => {
                let began = Instant::now();
                let (at, offset) =
                    (ObjectPath::from(folder), ObjectPath::from(after.unwrap_or("")));
                let listed = match after {
                    None => store.list(Some(&at)),
                    Some(_) => store.list_with_offset(Some(&at), &offset),
                };
                let listed = listed.map_ok(|meta| self::listed(&meta)).try_collect().await;
                let listed = listed.map_err(|error| unreadable(&root.join(folder), error));
                record(meter, RequestKind::List, began, &listed);
                let mut listed: Vec<Listed> = listed?;
                let temporary = format!("{}/", local::TEMPORARY);
                listed.retain(|listed| !listed.path.starts_with(&temporary));
                listed
            }
        };
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

fn record<T>(meter: &Meter, operation: RequestKind, began: Instant, done: &Result<T, Error>) {
    meter.attempt(operation, began.elapsed());
    if done.is_err() {
        meter.error(operation);
    }
}

fn listed(meta: &ObjectMeta) -> Listed {
    Listed {
        path: meta.location.to_string(),
        bytes: meta.size,
        modified_ms: meta.last_modified.timestamp_millis(),
    }
}

fn ends_before(path: &str, end: u64) -> Error {
    Error::new(ErrorKind::Damaged, format!("{path}: the object ends before byte {end}"))
}

fn check_lengths(path: &str, ranges: &[Range<u64>], read: &[Bytes]) -> Result<(), Error> {
    for (range, bytes) in ranges.iter().zip(read) {
        if bytes.len() as u64 != range.end.saturating_sub(range.start) {
            return Err(ends_before(path, range.end));
        }
    }
    Ok(())
}

fn missing(path: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("{path}: there is no such object"))
}

/// The error of ranges that a file does not have; `None` if it has them.
fn too_short(path: &Path, ranges: &[Range<u64>]) -> Option<Error> {
    let bytes = std::fs::metadata(path).ok()?.len();
    let end = ranges.iter().map(|range| range.end).max().filter(|end| *end > bytes)?;
    let message = format!("{}: it has {bytes} bytes, not {end}", path.display());
    Some(Error::new(ErrorKind::Damaged, message))
}

fn unreadable(path: &Path, error: ObjectError) -> Error {
    let message = format!("{}: {error}", path.display());
    Error::with_source(ErrorKind::Unavailable, message, error)
}
