//! Files of the log as the operating system gives them; tests put failing ones in their place.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Makes files.
pub(crate) trait Files: Debug + Send {
    /// An empty file; fails if there is one of that name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
}

/// A file that is written.
pub(crate) trait LogFile: Debug + Send {
    /// Writes all of `bytes` at an offset.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file, or prolongs it with zeros.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// Files of the operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OsFiles;

impl Files for OsFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(File::create_new(path)?))
    }
}

impl LogFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
