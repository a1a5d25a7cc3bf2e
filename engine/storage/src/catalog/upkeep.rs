//! Upkeep of a log: checkpoints, and the removal of commits that nobody needs any more.
//!
//! A commit is removed once it lies before the checkpoint before the newest, so that one that
//! turns out damaged does not matter, and is older than the retention. Commits go from the lowest
//! number on, one after the other: while a commit is there, none after it was ever removed. That
//! is what a writer relies on that slept while the log was cleaned up, see [`Locked::commit`].

use std::time::Duration;

use super::checkpoint::{self, Hint};
use super::load;
use super::{Catalog, commit_number, folder};
use crate::clock::now_ms;
use crate::objects::{Created, Listed};
use crate::{Error, ErrorKind};

/// Checkpoints that are kept, however old they are.
const CHECKPOINTS_KEPT: usize = 2;

/// Commits and checkpoints that are removed in one go, at most; the rest waits for the next.
const REMOVED_AT_ONCE: usize = 10_000;

impl Catalog {
    /// Writes a checkpoint if `commits` or more were made since the last; whether it did.
    /// What was removed longer than `retention` ago is not told any more.
    pub(crate) async fn checkpoint(
        &self,
        commits: u64,
        retention: Duration,
    ) -> Result<bool, Error> {
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let (state, is_damaged) = {
            let mut log = self.log.lock().await;
            if !log.is_due(commits) {
                return Ok(false);
            }
            // Another process may have been faster.
            if let Some(hint) = load::hint(self.table, &self.objects).await? {
                let other = Some(hint.version).filter(|version| log.damaged != Some(*version));
                log.checkpointed = log.checkpointed.max(other);
            }
            if !log.is_due(commits) {
                return Ok(false);
            }
            log.forget_removed(now_ms().saturating_sub(retention_ms));
            let Some(state) = log.state(self.table) else { return Ok(false) };
            let is_damaged = log.damaged == Some(state.version);
            (state, is_damaged)
        };
        let version = state.version;
        let rows = state.rows() as u64;
        let adds = state.live.len() as u64;
        let encoding = tokio::task::spawn_blocking(move || {
            let mut state = state;
            state.applied.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            state.removed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            state.live.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            state.encode()
        });
        let bytes = encoding.await.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a checkpoint was cut off", error)
        })??;
        let size = bytes.len() as u64;
        let path = checkpoint::path(self.table, version);
        if is_damaged {
            self.objects.overwrite(&path, bytes).await?;
        } else if self.objects.create(&path, bytes.clone()).await? == Created::Exists
            && !self.is_readable(&path, version).await?
        {
            // Another process' checkpoint of the same commits would say the same.
            self.objects.overwrite(&path, bytes).await?;
        }
        self.point_to(Hint {
            version,
            size: rows,
            size_in_bytes: Some(size),
            num_of_add_files: Some(adds),
        })
        .await?;
        let mut log = self.log.lock().await;
        log.checkpointed = log.checkpointed.max(Some(version));
        log.damaged = log.damaged.filter(|damaged| *damaged > version);
        Ok(true)
    }

    /// Writes the hint unless it names a newer checkpoint.
    async fn point_to(&self, hint: Hint) -> Result<(), Error> {
        let current = load::hint(self.table, &self.objects).await?;
        if current.is_some_and(|current| current.version > hint.version) {
            return Ok(());
        }
        let body = serde_json::to_vec(&hint).map_err(|error| {
            Error::with_source(ErrorKind::Internal, "a hint cannot be written", error)
        })?;
        self.objects.overwrite(&checkpoint::hint_path(self.table), body.into()).await
    }

    /// Removes commits and checkpoints that are older than `retention` and not needed to load the
    /// table; the number removed.
    pub(crate) async fn clean_up(&self, retention: Duration) -> Result<usize, Error> {
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before_ms = now_ms().saturating_sub(retention_ms);
        let listed = self.objects.list_with_sizes(&folder(self.table)).await?;
        let old = |of: &&Listed| of.modified_ms < before_ms;
        if !listed.iter().filter(|of| commit_number(&of.path).is_some()).any(|of| old(&of)) {
            return Ok(0);
        }
        let Some(floor) = self.floor(&listed).await? else { return Ok(0) };
        let is_behind = |number: Option<u64>| number.is_some_and(|number| number < floor);
        // First the checkpoints: without the commits after it, one would lead nowhere.
        let behind = listed.iter().filter(|of| is_behind(checkpoint::version(&of.path)));
        let checkpoints = behind.filter(old);
        let behind = listed.iter().filter(|of| is_behind(commit_number(&of.path)));
        let commits = behind.take_while(old);
        let mut removed = 0;
        for object in checkpoints.chain(commits).take(REMOVED_AT_ONCE) {
            self.objects.delete(&object.path).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// The version of the oldest checkpoint that is kept: what lies before it is not needed.
    /// Only those count that can be read: who trusts a damaged one removes what it stands for.
    async fn floor(&self, listed: &[Listed]) -> Result<Option<u64>, Error> {
        let mut readable = 0;
        for object in listed.iter().rev() {
            let Some(version) = checkpoint::version(&object.path) else { continue };
            if self.is_readable(&object.path, version).await? {
                readable += 1;
            }
            if readable == CHECKPOINTS_KEPT {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    async fn is_readable(&self, path: &str, version: u64) -> Result<bool, Error> {
        match load::read_checkpoint(&self.objects, path, version).await {
            Ok(log) => Ok(log.is_some()),
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl super::log::Log {
    fn is_due(&self, commits: u64) -> bool {
        let since = match self.checkpointed {
            Some(version) => self.next.saturating_sub(version + 1),
            None => self.next,
        };
        // A checkpoint that cannot be read stops other engines: it is replaced at once.
        self.next > 0 && (since >= commits || self.damaged.is_some())
    }
}
