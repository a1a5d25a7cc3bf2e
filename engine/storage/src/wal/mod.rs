//! The write-ahead log: what was acknowledged, in the order it was acknowledged.
//!
//! ```text
//!  data/wal/00000000000000000001.wal     groups ─▶ zeros up to the reserved size
//!
//!  group   at a multiple of 4096, zeros behind it up to the next
//!          magic u32 │ kind u32 │ body bytes u64 │ file number u64 │ synced u64
//!          │ first sequence u64 │ requests u64 │ crc32c u32 of all before and of the body │ body
//!  frame   length u32 │ notes length u32 │ encoding u8 │ signal u8 │ tenant length u8 │ flags u8
//!          │ received_ns i64 │ [hash u128 │ records u32 │ rejected u32] │ tenant │ notes │ payload
//! ```
//!
//! A group is written and synced at once, and holds the requests that are acknowledged together.
//! It shares no block of the disk with another, so that a write which is torn or fails cannot
//! touch what was acknowledged before. Sequence numbers follow one another without a gap, over all
//! files. Numbers are little-endian.
//!
//! A group of carried rows (module `waiting`) takes one sequence number, and is the first of its
//! file; it tells itself which requests before it stands for.
//!
//! A file ends when it is large enough, when the memtable is frozen, or when writing to it has
//! failed. The next file's first number then says where it ends: what stands behind that was
//! refused. Only the last file may end in a group that is not whole. `synced` says how far the
//! file was on the disk when a group was written: a broken group before that was acknowledged and
//! is damaged, one behind it is torn and was not.

mod check;
mod frame;
mod group;
mod read;
mod repair;
mod write;

pub(crate) use check::check;
pub(crate) use read::{Log, Read};
pub use repair::{SetAside, set_aside};
pub(crate) use write::{WalWriter, remove};

use std::path::{Path, PathBuf};

/// The file of a number.
fn file_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.wal"))
}

#[cfg(test)]
mod tests;
