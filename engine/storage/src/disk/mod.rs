//! The local disk as the WAL sees it, with exactly the promises that file systems keep.
//!
//! ```text
//!  written          may be lost or half there after a power cut, in any order
//!  file synced      what was written is there; its name may be missing
//!  folder synced    names made, changed and removed are as they were then
//! ```
//!
//! A file whose sync has failed is never trusted again: the kernel may have forgotten what it
//! could not write and call the next sync a success.

mod os;
#[cfg(test)]
pub(crate) mod sim;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use os::OsDisk;

/// Files and folders by name.
pub(crate) trait Disk: Debug + Send + Sync {
    /// A new, empty file; `AlreadyExists` if there is one of that name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// A file that exists.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Paths of what a folder holds, in any order.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Renames a file, replacing what has the name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Creates a folder and those above it.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// An open file.
pub(crate) trait DiskFile: Debug + Send {
    /// Bytes of the file.
    fn bytes(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset` on as far as the file reaches; returns how far that was.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `bytes`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Takes space for `bytes` from `offset` on and prolongs the file to hold them, with zeros
    /// where nothing was written.
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Cuts the file, or prolongs it with zeros.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// The whole file.
pub(crate) fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(file.bytes()?).map_err(io::Error::other)?;
    let mut buffer = vec![0; bytes];
    let read = file.read_at(0, &mut buffer)?;
    buffer.truncate(read);
    Ok(buffer)
}
