//! Committing and following: the log of one table, held by one task.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use schemas::tables::{Promoted, TableLayout};
use tokio::sync::MutexGuard;

use super::actions::{self, Removed};
use super::change::{Change, Committed, Delta, Operation};
use super::log::Log;
use super::{Catalog, application, checkpoint, load, schema};
use crate::objects::Created;
use crate::{Error, ErrorKind, Segment};

/// Numbers that a commit tries, at most: each is lost to another writer's commit.
const CONFLICTS_MAX: u32 = 100;

/// Wait before a number is tried again of which the store says that it exists, but not what it
/// holds (S3 may answer so while two writers race).
const AMBIGUOUS_WAIT: Duration = Duration::from_millis(50);

/// The log of one table, held by one task: nobody else commits or publishes meanwhile.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) log: MutexGuard<'a, Log>,
}

impl Locked<'_> {
    /// Live segments as the log tells them, in no order; readers may not have been shown all.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.log.live()
    }

    /// Whether a segment is live as the log tells it.
    pub(crate) fn is_live(&self, segment: &Segment) -> bool {
        self.log.is_live(segment)
    }

    /// Segments that are not live any more and whose objects may still be there, in no order.
    pub(crate) fn removed(&self) -> impl Iterator<Item = &Removed> {
        self.log.removed()
    }

    /// The number of the newest commit; `None` if there is none.
    pub(crate) fn version(&self) -> Option<u64> {
        self.log.next.checked_sub(1)
    }

    /// Last sequence number of our WAL that the table holds; 0 if there is none.
    pub(crate) fn applied(&self) -> u64 {
        self.log.applied(&application(&self.catalog.writer))
    }

    /// The columns of the table.
    pub(crate) fn layout(&mut self) -> Arc<TableLayout> {
        self.log.layout(self.catalog.table)
    }

    /// What readers have not been shown yet, in the order of the commits.
    pub(crate) fn unpublished(&self) -> &[Delta] {
        &self.log.unpublished
    }

    /// Takes what readers have not been shown yet. Whoever takes it must publish it before the
    /// log is unlocked.
    pub(crate) fn take_unpublished(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.log.unpublished)
    }

    /// Reads what others have committed since; the number of commits read.
    pub(crate) async fn tail(&mut self) -> Result<u64, Error> {
        let mut read = 0;
        while self.read_next().await?.is_some() {
            read += 1;
        }
        Ok(read)
    }

    /// Reads the log anew if it was cleaned up beyond what this process has read, which only
    /// happens to one that slept for as long as commits are kept.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Error> {
        let hint = load::hint(self.catalog.table, &self.catalog.objects).await?;
        if hint.is_some_and(|hint| hint.version >= self.log.next) {
            self.tail().await?;
        }
        let hint = load::hint(self.catalog.table, &self.catalog.objects).await?;
        if hint.is_some_and(|hint| hint.version >= self.log.next) {
            self.reload().await?;
        }
        Ok(())
    }

    /// Puts a change into the log; it is durable when this returns.
    ///
    /// `Conflict` if a segment that it removes is not live any more; `Unavailable` if the store
    /// does not answer: then the change may be in the log all the same, and is taken in by the
    /// next `commit` or `tail`.
    pub(crate) async fn commit(&mut self, change: &Change) -> Result<Committed, Error> {
        self.commit_with(change, &[]).await
    }

    /// Adds promoted columns to the table, as far as it does not have them; others may have added
    /// theirs meanwhile.
    pub(crate) async fn add_columns(&mut self, columns: &[Promoted]) -> Result<(), Error> {
        let change = Change {
            operation: Operation::AddColumns,
            adds: Vec::new(),
            removes: Vec::new(),
            applied: None,
        };
        self.commit_with(&change, columns).await.map(|_| ())
    }

    async fn commit_with(
        &mut self,
        change: &Change,
        columns: &[Promoted],
    ) -> Result<Committed, Error> {
        let catalog = self.catalog;
        self.create_table().await?;
        let id = commit_id(&catalog.writer);
        for _ in 0..CONFLICTS_MAX {
            if change.applied.is_some_and(|applied| self.applied() >= applied) {
                // An earlier attempt has landed whose answer was lost.
                return Ok(Committed { version: self.log.next.saturating_sub(1) });
            }
            self.check_conflict(change)?;
            let schema = self.log.new_schema(catalog.table, columns)?;
            if schema.is_none() && !columns.is_empty() {
                return Ok(Committed { version: self.log.next.saturating_sub(1) });
            }
            let application = application(&catalog.writer);
            let body =
                actions::commit(catalog.table, change, &application, &id, schema.as_deref())?;
            let number = self.log.next;
            let path = catalog.path(number);
            if catalog.objects.create(&path, body.clone()).await? == Created::New {
                if !self.is_after_the_last(number).await? {
                    continue;
                }
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

    /// Whether a commit that was just created is the log's newest. If this process slept while
    /// the log was cleaned up, its number was free because it had been removed: then no reader
    /// would ever find the commit. It is taken back, and the log read anew.
    ///
    /// Commits are removed from the lowest number on and only behind a checkpoint: while the one
    /// before is there, this one was never removed. The hint tells, too, for the case that the
    /// one before was just made by another process that slept.
    async fn is_after_the_last(&mut self, number: u64) -> Result<bool, Error> {
        let catalog = self.catalog;
        let before = catalog.path(number.saturating_sub(1));
        let (before, hint) = futures::future::try_join(
            catalog.objects.head(&before),
            load::hint(catalog.table, &catalog.objects),
        )
        .await?;
        if before.is_some() && hint.is_none_or(|hint| hint.version < number) {
            return Ok(true);
        }
        self.take_back(number).await?;
        Ok(false)
    }

    async fn take_back(&mut self, number: u64) -> Result<(), Error> {
        let catalog = self.catalog;
        tracing::warn!(
            table = catalog.table.name(),
            number,
            "the log was cleaned up while this process slept; it is read anew"
        );
        catalog.objects.delete(&catalog.path(number)).await?;
        self.reload().await
    }

    async fn reload(&mut self) -> Result<(), Error> {
        let catalog = self.catalog;
        let newer = load::load(catalog.table, &catalog.objects, &catalog.writer).await?;
        self.log.replace(newer, &catalog.writer);
        Ok(())
    }

    /// Makes the table if nobody has yet.
    async fn create_table(&mut self) -> Result<(), Error> {
        let catalog = self.catalog;
        for _ in 0..CONFLICTS_MAX {
            if self.log.next > 0 || self.read_next().await?.is_some() {
                return Ok(());
            }
            let first = actions::first_commit(
                catalog.table,
                &schema::schema_string(TableLayout::starting(catalog.table))?,
            );
            // Whether it is ours or another's, it is read like any other.
            match catalog.objects.create(&catalog.path(0), first).await? {
                Created::Exists => tokio::time::sleep(AMBIGUOUS_WAIT).await,
                Created::New if self.has_checkpoint().await? => self.take_back(0).await?,
                Created::New => {}
            }
        }
        let message = format!("{}: the first commit cannot be made", catalog.table.name());
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    async fn has_checkpoint(&self) -> Result<bool, Error> {
        let catalog = self.catalog;
        let listed = catalog.objects.list_after(&super::folder(catalog.table), None).await?;
        Ok(listed.iter().any(|of| checkpoint::version(&of.path).is_some()))
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

/// An id that no other commit has: its writer and 128 random bits.
fn commit_id(writer: &str) -> String {
    // Each state has random keys of its own.
    let random = || RandomState::new().hash_one(writer);
    format!("{writer}-{:016x}{:016x}", random(), random())
}
