//! The write-ahead log: what was acknowledged, in the order it was acknowledged.
//!
//! ```text
//!  data/wal/00000000000000000001.wal    frames ─▶ zeros up to the preallocated size
//!  frame   length u32 │ crc32c u32 │ kind u8 │ encoding u8 │ signal u8 │ tenant length u8
//!          │ received_ns i64 │ sequence u64 │ tenant │ payload
//! ```
//!
//! Sequence numbers follow one another without a gap, over all files.
//! Numbers are little-endian. `length` counts the bytes behind the checksum, which covers them.
//! A file is cut to its frames before the next one begins, so only the last file may end in
//! zeros or in a torn frame.

mod file;
mod frame;
mod read;
mod write;

pub(crate) use file::OsFiles;
pub(crate) use read::replay;
pub(crate) use write::{WalWriter, remove};

use std::path::{Path, PathBuf};

/// The file of a number.
fn file_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.wal"))
}

#[cfg(test)]
mod tests;
