//! The catalog of a table: a Delta Lake transaction log, numbered commits created once.
//!
//! ```text
//!  logs/_delta_log/00000000000000000000.json    protocol, metaData
//!                  00000000000000000001.json    txn (WAL applied up to), add, add …
//!
//!  Change ─▶ commit ─ create next number ─▶ Log ─ Delta, Delta … ─▶ publish: the live set
//!                       └ taken: read it, take it in, try the next
//! ```
//!
//! The format is that of the Delta protocol, reader version 1 and writer version 2. Our extras
//! stand in the `tags` of an `add`, so that live segments can be rebuilt from the log alone.
//! A `txn` says up to which sequence number of the WAL the table holds everything: what is
//! replayed after a crash and lies below was committed before.
//!
//! Several processes may commit. Appending never conflicts: whoever finds a number taken reads
//! the commit that took it and tries the next. A change that removes segments conflicts if one of
//! them is gone. What this process knows of a table comes from the commits alone, its own ones
//! included, so an answer that was lost changes nothing.

mod actions;
mod change;
mod log;
mod schema;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use schemas::tables::Table;
use tokio::sync::{Mutex, MutexGuard};

use self::log::Log;
use crate::objects::{Created, Objects};
use crate::{Error, ErrorKind, Segment};

pub use self::actions::Removed;
pub use self::change::Operation;
pub(crate) use self::change::{Change, Committed, Delta};

/// Numbers that a commit tries, at most: each is lost to another writer's commit.
const CONFLICTS_MAX: u32 = 100;

/// Wait before a number is tried again of which the store says that it exists, but not what it
/// holds (S3 may answer so while two writers race).
const AMBIGUOUS_WAIT: Duration = Duration::from_millis(50);

/// Commits that are read at once when a log is loaded.
const READS_AT_ONCE: usize = 32;

/// The log of one table.
#[derive(Debug)]
pub(crate) struct Catalog {
    table: Table,
    objects: Objects,
    writer: Arc<str>,
    log: Mutex<Log>,
}

/// The log of one table, held by one task: nobody else commits or publishes meanwhile.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    catalog: &'a Catalog,
    log: MutexGuard<'a, Log>,
}

impl Catalog {
    /// Reads the log of a table; a table without one is empty. `writer` names our WAL.
    pub(crate) async fn load(
        table: Table,
        objects: Objects,
        writer: Arc<str>,
    ) -> Result<Self, Error> {
        let mut log = Log::default();
        let mut paths = objects.list(&folder(table)).await?;
        paths.retain(|path| commit_number(path).is_some());
        let reads = paths.into_iter().map(|path| {
            let objects = &objects;
            async move { objects.read(&path).await.map(|body| (path, body)) }
        });
        let mut commits = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some((path, body)) = commits.try_next().await? {
            if commit_number(&path) != Some(log.next) {
                let message = format!("{path}: commit {} is missing before it", log.next);
                return Err(Error::new(ErrorKind::Damaged, message));
            }
            log.apply(actions::parse(&path, &body)?, &writer);
            // Who loads a table shows all of it at once.
            log.unpublished.clear();
        }
        drop(commits);
        Ok(Self { table, objects, writer, log: Mutex::new(log) })
    }

    /// Waits until nobody else uses the log.
    pub(crate) async fn lock(&self) -> Locked<'_> {
        Locked { catalog: self, log: self.log.lock().await }
    }
}

impl Locked<'_> {
    /// Live segments as the log tells them, in no order; readers may not have been shown all.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.log.live()
    }

    /// Segments that are not live any more and whose objects may still be there, in no order.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &Removed> {
        self.log.removed.values()
    }

    /// The number of the newest commit; `None` if there is none.
    pub(crate) fn version(&self) -> Option<u64> {
        self.log.next.checked_sub(1)
    }

    /// Last sequence number of our WAL that the table holds; 0 if there is none.
    pub(crate) fn applied(&self) -> u64 {
        self.log.applied.get(&application(&self.catalog.writer)).copied().unwrap_or(0)
    }

    /// What readers have not been shown yet, in the order of the commits. Whoever takes from it
    /// must publish what was taken before the log is unlocked.
    pub(crate) fn unpublished(&mut self) -> &mut Vec<Delta> {
        &mut self.log.unpublished
    }

    /// Reads what others have committed since; the number of commits read.
    pub(crate) async fn tail(&mut self) -> Result<u64, Error> {
        let mut read = 0;
        while self.read_next().await?.is_some() {
            read += 1;
        }
        Ok(read)
    }

    /// Puts a change into the log; it is durable when this returns.
    ///
    /// `Conflict` if a segment that it removes is not live any more; `Unavailable` if the store
    /// does not answer: then the change may be in the log all the same, and is taken in by the
    /// next `commit` or `tail`.
    pub(crate) async fn commit(&mut self, change: &Change) -> Result<Committed, Error> {
        let catalog = self.catalog;
        self.create_table().await?;
        let id = commit_id(&catalog.writer);
        for _ in 0..CONFLICTS_MAX {
            if change.applied.is_some_and(|applied| self.applied() >= applied) {
                // An earlier attempt has landed whose answer was lost.
                return Ok(Committed { version: self.log.next.saturating_sub(1) });
            }
            self.check_conflict(change)?;
            let has_schema = self.log.schema == schema::schema_string(catalog.table)?;
            let application = application(&catalog.writer);
            let body = actions::commit(catalog.table, change, &application, &id, has_schema)?;
            let number = self.log.next;
            let path = catalog.path(number);
            if catalog.objects.create(&path, body.clone()).await? == Created::New {
                self.log.apply(actions::parse(&path, &body)?, &catalog.writer);
                return Ok(Committed { version: number });
            }
            match self.read_next().await? {
                Some(found) if found == id => return Ok(Committed { version: number }),
                Some(_) => {
                    self.tail().await?;
                }
                None => tokio::time::sleep(AMBIGUOUS_WAIT).await,
            }
        }
        let message = format!(
            "{}: {CONFLICTS_MAX} commits in a row were lost to other writers",
            catalog.table.name()
        );
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Makes the table if nobody has yet.
    async fn create_table(&mut self) -> Result<(), Error> {
        let catalog = self.catalog;
        for _ in 0..CONFLICTS_MAX {
            if self.log.next > 0 || self.read_next().await?.is_some() {
                return Ok(());
            }
            let first = actions::first_commit(catalog.table)?;
            // Whether it is ours or another's, it is read like any other.
            if catalog.objects.create(&catalog.path(0), first).await? == Created::Exists {
                tokio::time::sleep(AMBIGUOUS_WAIT).await;
            }
        }
        let message = format!("{}: the first commit cannot be made", catalog.table.name());
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    fn check_conflict(&self, change: &Change) -> Result<(), Error> {
        match change.removes.iter().find(|segment| !self.log.is_live(segment)) {
            None => Ok(()),
            Some(gone) => {
                let message = format!("{} is not live any more", gone.path);
                Err(Error::new(ErrorKind::Conflict, message))
            }
        }
    }

    /// Takes in the next commit; its id, or `None` if there is none.
    async fn read_next(&mut self) -> Result<Option<String>, Error> {
        let catalog = self.catalog;
        let path = catalog.path(self.log.next);
        let Some(body) = catalog.objects.find(&path).await? else { return Ok(None) };
        Ok(Some(self.log.apply(actions::parse(&path, &body)?, &catalog.writer)))
    }
}

impl Catalog {
    fn path(&self, number: u64) -> String {
        format!("{}/{number:020}.json", folder(self.table))
    }
}

fn folder(table: Table) -> String {
    format!("{}/_delta_log", table.name())
}

/// How our WAL is named in `txn` actions.
fn application(writer: &str) -> String {
    format!("siglake-wal-{writer}")
}

/// An id that no other commit has: its writer and 128 random bits.
fn commit_id(writer: &str) -> String {
    // Each state has random keys of its own.
    let random = || RandomState::new().hash_one(writer);
    format!("{writer}-{:016x}{:016x}", random(), random())
}

/// The number of a commit; `None` for everything else in the folder.
fn commit_number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests;
