//! The catalog of a table: a Delta Lake transaction log, numbered commits created once.
//!
//! ```text
//!  logs/_delta_log/00000000000000000000.json    protocol, metaData
//!                  00000000000000000001.json    txn (WAL applied up to), add, add …
//!                  00000000000000000050.checkpoint.parquet    all of it up to here
//!                  _last_checkpoint             {"version":50, …}
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
//!
//! Read [`load`] for how a table is opened, [`commit`] for how it changes, [`checkpoint`] and
//! [`upkeep`] for what keeps both short.

mod actions;
mod change;
mod checkpoint;
mod commit;
mod entry;
mod load;
mod log;
mod schema;
mod stats;
mod upkeep;

use std::sync::Arc;

use schemas::tables::Table;
use tokio::sync::Mutex;

use self::log::Log;
use crate::Error;
use crate::objects::Objects;

pub use self::actions::Removed;
pub use self::change::Operation;
pub(crate) use self::change::{Change, Committed, Delta};
pub(crate) use self::commit::Locked;
pub(crate) use self::load::verify;
pub(crate) use self::stats::CatalogCounters;
pub use self::stats::CatalogStats;

/// The log of one table.
#[derive(Debug)]
pub(crate) struct Catalog {
    table: Table,
    objects: Objects,
    writer: Arc<str>,
    log: Mutex<Log>,
}

impl Catalog {
    /// Reads the log of a table; a table without one is empty. `writer` names our WAL.
    pub(crate) async fn load(
        table: Table,
        objects: Objects,
        writer: Arc<str>,
    ) -> Result<Self, Error> {
        let log = load::load(table, &objects, &writer).await?;
        Ok(Self { table, objects, writer, log: Mutex::new(log) })
    }

    /// Waits until nobody else uses the log.
    pub(crate) async fn lock(&self) -> Locked<'_> {
        Locked { catalog: self, log: self.log.lock().await }
    }

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

/// The number of a commit; `None` for everything else in the folder.
fn commit_number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests;
