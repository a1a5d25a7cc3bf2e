//! Verify: everything that is stored is read and held against what the logs say of it.
//!
//! ```text
//!  logs ──────── gaps, readability, checkpoints against commits
//!  segments ──── there? size, CRC-32C, footer, every page; rows, order, keys, times, day
//!  deletes ───── no row that a finished request covers
//!  WAL ───────── frame checksums, numbers without gaps
//! ```
//!
//! Nothing is written and no lock is taken, so a lake can be verified while it is used: a segment
//! that was replaced and vacuumed meanwhile is no damage. Memory is bounded: segments are read one
//! by one, and of series and streams only the index is kept.

mod segments;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use schemas::tables::Table;

use crate::catalog::{self, Catalog};
use crate::deletes::{DeleteLog, Known};
use crate::disk::OsDisk;
use crate::objects::Objects;
use crate::{Deletes, Error, ErrorKind, LabelIndex, LakePlace, Segment};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The object's path in the lake, or the file's path.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Live segments.
    pub segments: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Delete requests.
    pub deletes: u64,
    /// Files of the WAL.
    pub wal_files: u64,
    /// Requests in them.
    pub wal_requests: u64,
    /// Damages found.
    pub damages: u64,
}

/// Verifies a lake, and the WAL in `wal` if there is that folder. `damaged` is told each damage
/// as it is found, `progress` now and then how far it has come.
///
/// An error means that it could not be finished, not that anything is damaged.
pub async fn verify(
    lake: &LakePlace,
    wal: Option<&Path>,
    mut damaged: impl FnMut(Damage),
    mut progress: impl FnMut(&Verified),
) -> Result<Verified, Error> {
    let objects = lake.open()?;
    let mut done = Verified::default();
    let mut tell = |done: &mut Verified, file: &str, what: String| {
        done.damages += 1;
        damaged(Damage { file: file.to_owned(), what });
    };
    let mut known = Known::load(&DeleteLog::new(objects.clone())).await?;
    done.deletes = known.newest();
    known.keep_finished();
    let mut indexes: HashMap<Arc<str>, Labels> = HashMap::new();
    for table in Table::ALL {
        for what in catalog::verify(table, &objects).await? {
            let (file, what) = what.split_once(": ").unwrap_or((table.name(), &what));
            let (file, what) = (file.to_owned(), what.to_owned());
            tell(&mut done, &file, what);
        }
        let catalog = match Catalog::load(table, objects.clone(), Arc::from("")).await {
            Ok(catalog) => catalog,
            // Told already, by what is wrong with the log.
            Err(error) if error.kind() == ErrorKind::Damaged => continue,
            Err(error) => return Err(error),
        };
        let live: Vec<Arc<Segment>> = catalog.lock().await.live().cloned().collect();
        for segment in live {
            let labels = indexes.entry(Arc::clone(&segment.tenant)).or_default();
            let deletes = labels.deletes(&known, &segment.tenant);
            let found = segments::check(&objects, table, &segment, &deletes, labels).await?;
            let is_live = found.is_empty() || is_live(&objects, table, &segment).await?;
            for what in found.into_iter().filter(|_| is_live) {
                tell(&mut done, &segment.path, what);
            }
            done.segments += 1;
            done.rows += segment.rows;
            done.bytes += segment.bytes;
            progress(&done);
        }
    }
    if let Some(folder) = wal.filter(|folder| folder.is_dir()) {
        let checked = crate::wal::check(&OsDisk, folder, |path, what| {
            tell(&mut done, &path.display().to_string(), what);
        })?;
        (done.wal_files, done.wal_requests) = (checked.files, checked.requests);
    }
    Ok(done)
}

/// Whether a segment is still live: what was replaced meanwhile may be gone.
async fn is_live(objects: &Objects, table: Table, segment: &Segment) -> Result<bool, Error> {
    let catalog = Catalog::load(table, objects.clone(), Arc::from("")).await?;
    let log = catalog.lock().await;
    Ok(log.live().any(|it| it.path == segment.path))
}

/// The labels of a tenant, as far as they were read.
#[derive(Debug, Default)]
struct Labels {
    series: Arc<LabelIndex>,
    streams: Arc<LabelIndex>,
}

impl Labels {
    fn deletes(&self, known: &Known, tenant: &str) -> Deletes {
        let indexes = (Arc::clone(&self.series), Arc::clone(&self.streams));
        Deletes::of(known, &crate::retention::Policy::default(), tenant, indexes)
    }

    fn index(&self, table: Table) -> Option<&LabelIndex> {
        match table {
            Table::MetricSeries => Some(&self.series),
            Table::LogStreams => Some(&self.streams),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
