//! Checkpoints: what a log says as of one commit, in one Parquet object.
//!
//! ```text
//!  _delta_log/00000000000000000150.checkpoint.parquet   a row an action:
//!             protocol · metaData · txn, txn … · remove, remove … · add, add …
//!             _last_checkpoint                          {"version":150,"size":…}, a hint
//! ```
//!
//! The form is that of a V1 checkpoint in one part, so other engines start from it, too. Adds
//! carry statistics, tags and partition values just as their commits did. The footer names the
//! CRC-32C of all bytes before it: a checkpoint with a flipped bit is not believed, and whoever
//! opens the table takes an older one, or the commits themselves.

mod read;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use schemas::tables::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actions::{Applied, Removed};
use super::folder;
use crate::{Error, Segment};

pub(super) use read::read;

/// Key of the footer's metadata under which the checksum stands, in decimal.
const CHECKSUM_KEY: &str = "siglake.crc32c";

/// What a checkpoint holds.
#[derive(Debug)]
pub(super) struct State {
    /// Whose.
    pub(super) table: Table,
    /// The number of the last commit that it holds.
    pub(super) version: u64,
    /// The object below `protocol`.
    pub(super) protocol: Value,
    /// The object below `metaData`.
    pub(super) metadata: Value,
    /// How far each application's writes are in the table, in the order of their names.
    pub(super) applied: Vec<(String, Applied)>,
    /// Objects that were removed not long ago.
    pub(super) removed: Vec<Removed>,
    /// Live segments, in the order of their paths.
    pub(super) live: Vec<Arc<Segment>>,
}

impl State {
    /// The checkpoint's object. Takes a while: not for an async thread.
    pub(super) fn encode(&self) -> Result<Bytes, Error> {
        write::encode(self)
    }

    /// Number of actions, one a row.
    pub(super) fn rows(&self) -> usize {
        2 + self.applied.len() + self.removed.len() + self.live.len()
    }
}

/// What `_last_checkpoint` says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hint {
    /// The number of the last commit that the checkpoint holds.
    pub(super) version: u64,
    /// Number of its actions.
    pub(super) size: u64,
    /// Size of its object.
    #[serde(default)]
    pub(super) size_in_bytes: Option<u64>,
    /// Number of its live segments.
    #[serde(default)]
    pub(super) num_of_add_files: Option<u64>,
}

/// Where the checkpoint of a version lies.
pub(super) fn path(table: Table, version: u64) -> String {
    format!("{}/{version:020}.checkpoint.parquet", folder(table))
}

/// Where the hint lies that names the newest checkpoint.
pub(super) fn hint_path(table: Table) -> String {
    format!("{}/_last_checkpoint", folder(table))
}

/// The version of a checkpoint in one part; `None` for everything else in the folder.
pub(super) fn version(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".checkpoint.parquet")?.parse().ok()
}

#[cfg(test)]
mod tests;
