//! Vacuum: deletes objects that nobody reads any more.
//!
//! Two kinds go: what a commit has removed, once a grace period has passed in which running
//! queries may still read it; and what no commit has ever named, once it is so old that no writer
//! can still be about to commit it. Before anything is deleted the log is read up to its end and
//! asked again: what is live is never touched. Names that we do not give are left alone.

use std::collections::HashSet;

use schemas::tables::Table;

use crate::objects::Listed;
use crate::removal::before_ms;
use crate::{Error, Removed, Store};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Objects.
    pub objects: u64,
    /// Their bytes, as far as they are known.
    pub bytes: u64,
}

impl Store {
    /// Deletes the objects that were removed longer ago than the grace period.
    pub async fn vacuum_once(&self) -> Result<Vacuumed, Error> {
        let before_ms = self.options.removal.replaced_before_ms();
        let mut vacuumed = Vacuumed::default();
        let mut known = HashSet::new();
        for table in Table::ALL {
            let removed: Vec<Removed> = self.removed(table).await?;
            known.extend(removed.iter().map(|it| it.path.clone()));
            let expired: Vec<Removed> =
                removed.into_iter().filter(|it| it.removed_ms < before_ms).collect();
            if expired.is_empty() {
                continue;
            }
            let live = self.live_paths(table).await?;
            for object in expired.into_iter().filter(|it| !live.contains(&it.path)) {
                if self.shared.vacuumed.lock().contains(&object.path) {
                    continue;
                }
                self.objects.delete(&object.path).await?;
                vacuumed.objects += 1;
                vacuumed.bytes += object.bytes;
                self.shared.vacuumed.lock().insert(object.path);
            }
        }
        // What the logs have forgotten is not met again.
        self.shared.vacuumed.lock().retain(|path| known.contains(path));
        if vacuumed.objects > 0 {
            let Vacuumed { objects, bytes } = vacuumed;
            tracing::info!(objects, bytes, "deleted replaced objects");
        }
        Ok(vacuumed)
    }

    /// Deletes old objects that no commit names.
    pub async fn sweep_orphans(&self) -> Result<Vacuumed, Error> {
        let before_ms = before_ms(self.options.removal.orphan_age);
        let mut vacuumed = Vacuumed::default();
        for table in Table::ALL {
            let listed = self.objects.list_with_sizes(table.name()).await?;
            let mut named = self.live_paths(table).await?;
            named.extend(self.removed(table).await?.into_iter().map(|it| it.path));
            for object in orphans(table, listed, &named, before_ms) {
                tracing::info!(path = object.path, "deletes an object that no commit names");
                self.objects.delete(&object.path).await?;
                vacuumed.objects += 1;
                vacuumed.bytes += object.bytes;
            }
        }
        Ok(vacuumed)
    }

    /// The paths that the log of a table names as live, read up to its end.
    async fn live_paths(&self, table: Table) -> Result<HashSet<String>, Error> {
        self.follow(table).await?;
        let log = self.catalog(table)?.lock().await;
        Ok(log.live().map(|segment| segment.path.clone()).collect())
    }
}

/// The objects of a listing that have names such as we give, are older than `before_ms`, and are
/// not among those that the log names.
fn orphans(
    table: Table,
    listed: Vec<Listed>,
    named: &HashSet<String>,
    before_ms: i64,
) -> Vec<Listed> {
    let is_orphan = |object: &Listed| {
        object.modified_ms < before_ms
            && is_ours(table, &object.path)
            && !named.contains(&object.path)
    };
    listed.into_iter().filter(is_orphan).collect()
}

/// `<table>/tenant=…/date=…/<level>-….parquet`.
fn is_ours(table: Table, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [folder, tenant, date, name] = parts[..] else { return false };
    folder == table.name()
        && tenant.starts_with("tenant=")
        && date.starts_with("date=")
        && name.ends_with(".parquet")
        && name.split_once('-').is_some_and(|(level, _)| level.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests;
