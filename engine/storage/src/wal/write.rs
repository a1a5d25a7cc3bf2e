//! Writing the log: one file at a time, by one thread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::file::{Files, LogFile};
use super::file_path;
use crate::objects::{disk, sync_folder};
use crate::{Durability, Error, Frame};

/// The writing end of the log. Not shared: its thread owns it.
#[derive(Debug)]
pub(crate) struct WalWriter {
    folder: PathBuf,
    file_bytes: u64,
    durability: Durability,
    files: Box<dyn Files>,
    next_number: u64,
    open: Option<Open>,
    /// A file that could not be cut to what was acknowledged yet.
    uncut: Option<Open>,
    buffer: Vec<u8>,
    synced_at: Instant,
    unsynced: bool,
    /// Nanoseconds spent in syncs, and their number, since the start.
    pub(crate) syncs: (u64, u64),
}

#[derive(Debug)]
struct Open {
    number: u64,
    file: Box<dyn LogFile>,
    /// End of what was acknowledged.
    offset: u64,
}

impl Open {
    /// Removes everything behind what was acknowledged, and syncs.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.offset)?;
        self.file.sync()
    }
}

impl WalWriter {
    /// A writer whose first file will have the number `next_number`.
    pub(crate) fn new(
        folder: PathBuf,
        file_bytes: u64,
        durability: Durability,
        files: Box<dyn Files>,
        next_number: u64,
    ) -> Self {
        Self {
            folder,
            file_bytes,
            durability,
            files,
            next_number,
            open: None,
            uncut: None,
            buffer: Vec::new(),
            synced_at: Instant::now(),
            unsynced: false,
            syncs: (0, 0),
        }
    }

    /// Adds a frame to the group that [`Self::commit`] will write.
    pub(crate) fn add(&mut self, frame: &Frame, sequence: u64) -> Result<(), Error> {
        super::frame::encode(frame, sequence, &mut self.buffer)
    }

    /// Bytes in the group.
    pub(crate) fn group_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes the group, and syncs it if durability asks for that.
    ///
    /// On an error nothing of the group stays in the log: what was written is cut off at once,
    /// or before anything else is written. The next group begins a new file, because what the
    /// operating system still holds of this one cannot be trusted after a failed sync.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        let result = self.write_group();
        self.buffer.clear();
        if self.buffer.capacity() > 16 << 20 {
            self.buffer = Vec::new();
        }
        if result.is_err() && self.uncut.is_none() {
            self.uncut = self.open.take();
            self.unsynced = false;
            if let Err(error) = self.cut_uncut() {
                tracing::error!(%error, "cannot cut the write-ahead log, which takes no more");
            }
        }
        result
    }

    fn write_group(&mut self) -> Result<(), Error> {
        self.cut_uncut()?;
        if self.open.as_ref().is_some_and(|open| open.offset >= self.file_bytes) {
            self.end_file()?;
        }
        let folder = self.folder.clone();
        let failed = |error| disk(&folder, error);
        if self.open.is_none() {
            self.open = Some(self.begin().map_err(failed)?);
        }
        let open = self.open.as_mut().expect("a file was opened");
        open.file.write_at(open.offset, &self.buffer).map_err(failed)?;
        self.unsynced = true;
        let due = match self.durability {
            Durability::Fsync => true,
            Durability::Interval(interval) => self.synced_at.elapsed() >= interval,
            Durability::None => false,
        };
        if due {
            let started = Instant::now();
            open.file.sync().map_err(failed)?;
            let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.syncs = (self.syncs.0 + took, self.syncs.1 + 1);
            self.synced_at = Instant::now();
            self.unsynced = false;
        }
        open.offset += self.buffer.len() as u64;
        Ok(())
    }

    /// Syncs what an interval has left unsynced.
    pub(crate) fn sync_if_due(&mut self) -> Result<(), Error> {
        if self.unsynced
            && self.durability != Durability::None
            && let Some(open) = &mut self.open
        {
            open.file.sync().map_err(|error| disk(&self.folder, error))?;
            self.synced_at = Instant::now();
            self.unsynced = false;
        }
        Ok(())
    }

    /// Ends the current file, so that the next group begins a new one; returns the number up to
    /// which all files are ended.
    pub(crate) fn end_file(&mut self) -> Result<u64, Error> {
        self.cut_uncut()?;
        self.uncut = self.open.take();
        self.unsynced = false;
        self.cut_uncut()?;
        Ok(self.next_number - 1)
    }

    /// Cuts a file that is given up. Until that is done nothing may be written after it: a file
    /// that is not the last one must be whole.
    fn cut_uncut(&mut self) -> Result<(), Error> {
        if let Some(open) = &mut self.uncut {
            open.cut().map_err(|error| disk(&file_path(&self.folder, open.number), error))?;
            self.uncut = None;
        }
        Ok(())
    }

    /// A new file with its space preallocated, its name durable.
    fn begin(&mut self) -> io::Result<Open> {
        let number = self.next_number;
        let mut file = self.files.create(&file_path(&self.folder, number))?;
        self.next_number += 1;
        file.set_len(self.file_bytes)?;
        file.sync()?;
        sync_folder(&self.folder)?;
        Ok(Open { number, file, offset: 0 })
    }
}

/// Removes the files up to `last`, oldest first, so that what is left is never older than a gap.
pub(crate) fn remove(folder: &Path, last: u64) -> Result<(), Error> {
    let mut numbers: Vec<u64> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| disk(folder, error))? {
        let path = entry.map_err(|error| disk(folder, error))?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        numbers.extend(number.filter(|number| *number <= last));
    }
    numbers.sort_unstable();
    for number in numbers {
        let path = file_path(folder, number);
        fs::remove_file(&path).map_err(|error| disk(&path, error))?;
    }
    sync_folder(folder).map_err(|error| disk(folder, error))
}
