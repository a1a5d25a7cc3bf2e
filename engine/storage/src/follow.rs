//! Following: what other processes have committed is shown here, and logs are kept short.
//!
//! ```text
//!  every refresh_interval   GET of each table's next commit ─▶ publish
//!  commits enough           checkpoint, hint ─▶ clean-up of commits behind it
//! ```
//!
//! Readers never meet rows without labels: before samples and records of another process are
//! shown, the series and streams that were committed until then are taken into the label index.
//! A writer commits labels first, so those of a commit that is there are there, too.

use std::collections::HashSet;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use schemas::tables::Table;

use crate::Error;
use crate::store::Store;

/// How often the store looks for checkpoints that are due if it does not follow others.
const IDLE: Duration = Duration::from_secs(1);

/// How often commits and checkpoints that nobody needs any more are looked for.
const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(3600);

/// How often this process makes sure that it has not fallen behind what the logs still hold.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(600);

/// Commits since the last checkpoint from which on closing the store writes one.
const COMMITS_AT_CLOSE: u64 = 10;

/// Commits are kept for this long at least: a process that is told to stop may need it.
const LOG_RETENTION_MIN: Duration = Duration::from_secs(3600);

/// Longest wait after a failure, in intervals.
const BACKOFF_MAX: u32 = 60;

/// Follows the logs as long as the store lives.
pub(crate) async fn run(store: Weak<Store>) {
    let Some(alive) = store.upgrade() else { return };
    let every = alive.options.catalog.refresh_interval;
    drop(alive);
    let interval = if every.is_zero() { IDLE } else { every };
    let mut wait = interval;
    let (mut cleaned, mut caught_up) = (Instant::now(), Instant::now());
    let mut first = true;
    loop {
        tokio::time::sleep(wait).await;
        let Some(store) = store.upgrade() else { return };
        let is_behind = caught_up.elapsed() >= CATCH_UP_INTERVAL;
        let mut done = Ok(());
        if !every.is_zero() {
            done = if is_behind { store.catch_up().await } else { store.refresh().await };
        }
        if is_behind {
            caught_up = Instant::now();
            done = match done {
                Ok(()) => store.forget_removed().await,
                failed => failed,
            };
        }
        let due = store.options.catalog.checkpoint_commits;
        done = done.and(store.checkpoint(due).await.map(|_| ()));
        if std::mem::take(&mut first) || cleaned.elapsed() >= CLEAN_UP_INTERVAL {
            cleaned = Instant::now();
            done = done.and(store.clean_up_logs().await.map(|_| ()));
        }
        wait = match done {
            Ok(()) => interval,
            Err(error) => {
                store.shared.counters.catalog.errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "the logs cannot be followed; it will be tried again");
                (wait * 2).min(interval * BACKOFF_MAX)
            }
        };
    }
}

impl Store {
    /// Shows what other processes have committed since.
    ///
    /// `Unavailable` if the store does not answer: then some of it may be shown and some not yet,
    /// though never rows without their labels.
    pub async fn refresh(&self) -> Result<(), Error> {
        let followed = Table::ALL.map(|table| self.follow(table));
        for followed in futures::future::join_all(followed).await {
            followed?;
        }
        Ok(())
    }

    /// Writes a checkpoint of each table that has `commits` or more since its last; the number of
    /// checkpoints written. 0 writes none.
    pub async fn checkpoint(&self, commits: u64) -> Result<usize, Error> {
        if commits == 0 {
            return Ok(0);
        }
        let mut written = 0;
        for catalog in self.catalogs.tables.values() {
            let started = Instant::now();
            if catalog.checkpoint(commits, self.options.catalog.log_retention).await? {
                self.shared.counters.catalog.checkpoint(started.elapsed());
                written += 1;
            }
        }
        Ok(written)
    }

    /// Removes commits that lie behind checkpoints and are older than `log_retention`; the number
    /// of objects removed.
    pub async fn clean_up_logs(&self) -> Result<usize, Error> {
        let mut removed = 0;
        for catalog in self.catalogs.tables.values() {
            let retention = self.options.catalog.log_retention.max(LOG_RETENTION_MIN);
            removed += catalog.clean_up(retention).await?;
        }
        Ok(removed)
    }

    /// Drops cached blocks of objects that were removed longer ago than the grace period:
    /// another process may have deleted them, and what is erased must not stay here.
    pub(crate) async fn forget_removed(&self) -> Result<(), Error> {
        let before_ms = self.options.removal.replaced_before_ms();
        let mut gone = HashSet::new();
        for table in Table::ALL {
            let log = self.catalog(table)?.lock().await;
            let expired = log.removed().filter(|it| it.removed_ms < before_ms);
            gone.extend(expired.map(|it| it.path.clone()));
        }
        self.objects.forget_all(&gone);
        Ok(())
    }

    /// What remains to be done when the store is closed: the next start finds a checkpoint.
    pub(crate) async fn checkpoint_at_close(&self) {
        if self.options.catalog.checkpoint_commits == 0 {
            return;
        }
        if let Err(error) = self.checkpoint(COMMITS_AT_CLOSE).await {
            tracing::warn!(%error, "no checkpoint at the end; the next start reads more commits");
        }
    }

    /// Like [`Self::refresh`], also if the logs were cleaned up beyond what was read.
    async fn catch_up(&self) -> Result<(), Error> {
        for table in Table::ALL {
            let mut log = self.catalog(table)?.lock().await;
            log.catch_up().await?;
            self.show(table, &mut log).await?;
        }
        Ok(())
    }
}
