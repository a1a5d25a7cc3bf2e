//! Removal: the tasks that take away what is deleted, too old, or named by nobody.
//!
//! ```text
//!  every few seconds   requests of other processes are taken in, those that are due worked at
//!  retention_interval  what is older than its retention goes
//!  vacuum_interval     objects that were replaced long enough ago are deleted; once a day,
//!                      what no commit has ever named
//! ```

use std::sync::Weak;
use std::time::{Duration, Instant};

use crate::clock::now_ms;
use crate::retention::RetentionOptions;
use crate::{Error, Store};

/// How often requests are looked for.
const TICK: Duration = Duration::from_secs(2);

/// How often objects that no commit names are looked for.
const ORPHANS_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Options of what removes data, each with its default.
#[derive(Clone, Debug)]
pub struct RemovalOptions {
    /// Whether this process takes data away in the background; requests of others are heard of
    /// either way. Default true.
    pub enabled: bool,
    /// Until then the rows that a delete request covers are gone from the disk. Work begins when
    /// the request can no longer be cancelled; a request that is later than this is warned of.
    /// Default 24 hours.
    pub delete_deadline: Duration,
    /// How long a delete request can be cancelled; nothing is taken away before, and segments
    /// that it covers are not merged. Default 10 minutes.
    pub delete_cancel_period: Duration,
    /// How long replaced objects stay for the queries that read them; it must not be shorter than
    /// the longest query. Default 1 hour.
    pub vacuum_grace: Duration,
    /// Time between two looks for objects to delete. Default 5 minutes.
    pub vacuum_interval: Duration,
    /// Objects of this age that no commit names are deleted: leftovers of writers that died. It
    /// must be longer than any flush or merge takes. Default 24 hours.
    pub orphan_age: Duration,
    /// What is kept for how long.
    pub retention: RetentionOptions,
}

impl RemovalOptions {
    /// What was replaced before this time is read by nobody any more; milliseconds since 1970.
    pub(crate) fn replaced_before_ms(&self) -> i64 {
        before_ms(self.vacuum_grace)
    }
}

/// The time that was `age` ago, in milliseconds since 1970.
pub(crate) fn before_ms(age: Duration) -> i64 {
    now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

impl Default for RemovalOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            delete_deadline: Duration::from_secs(24 * 3600),
            delete_cancel_period: Duration::from_secs(600),
            vacuum_grace: Duration::from_secs(3600),
            vacuum_interval: Duration::from_secs(300),
            orphan_age: Duration::from_secs(24 * 3600),
            retention: RetentionOptions::default(),
        }
    }
}

/// When each task was last done.
#[derive(Debug, Default)]
struct Last {
    retention: Option<Instant>,
    vacuum: Option<Instant>,
    orphans: Option<Instant>,
}

/// Does what is due, as long as the store lives.
pub(crate) async fn run(store: Weak<Store>) {
    let mut last = Last::default();
    loop {
        tokio::time::sleep(TICK).await;
        let Some(alive) = store.upgrade() else { return };
        if let Err(error) = alive.remove_due(&mut last).await {
            tracing::warn!(%error, "removing data failed; it will be tried again");
            drop(alive);
            tokio::time::sleep(10 * TICK).await;
        }
    }
}

impl Store {
    async fn remove_due(&self, last: &mut Last) -> Result<(), Error> {
        let options = &self.options.removal;
        self.tail_deletes().await?;
        if !options.enabled {
            return self.follow_deletes().await;
        }
        self.work_deletes().await?;
        if is_due(&mut last.retention, options.retention.interval) {
            self.retain_once().await?;
        }
        if is_due(&mut last.vacuum, options.vacuum_interval) {
            self.vacuum_once().await?;
        }
        // A fresh process does not list the whole lake at once.
        if last.orphans.is_none() {
            last.orphans = Some(Instant::now());
        }
        if is_due(&mut last.orphans, ORPHANS_INTERVAL) {
            self.sweep_orphans().await?;
        }
        Ok(())
    }
}

fn is_due(last: &mut Option<Instant>, interval: Duration) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= interval);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}
