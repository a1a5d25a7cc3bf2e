//! Writing the log: one file at a time, by one thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::file_path;
use super::group::{self, Header, Kind};
use crate::disk::{Disk, DiskFile};
use crate::objects::disk as disk_error;
use crate::{Durability, Error, Frame};

/// Space that is taken on the disk at once, so that a full disk is met before a group is written
/// and most syncs need not change the size of the file.
const RESERVED_BYTES: u64 = 8 << 20;

/// Memory of the group that is kept for the next one.
const BUFFER_BYTES_KEPT: usize = 16 << 20;

/// The writing end of the log. Not shared: its thread owns it.
#[derive(Debug)]
pub(crate) struct WalWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    file_bytes: u64,
    durability: Durability,
    next_number: u64,
    open: Option<Open>,
    /// The group: room for its header, then frames.
    buffer: Vec<u8>,
    requests: u64,
    synced_at: Instant,
    /// A file of which nothing counts and that could not be removed yet. No other may follow it: of
    /// an oldest file that is broken readers cannot tell whether anything was acknowledged.
    refused: Option<PathBuf>,
    /// Whether a file was given up since this was last asked: what the disk has of it is not
    /// known, so its rows should reach segments soon.
    has_failed: bool,
    /// Nanoseconds spent in syncs, and their number, since the start.
    pub(crate) syncs: (u64, u64),
}

#[derive(Debug)]
struct Open {
    number: u64,
    file: Box<dyn DiskFile>,
    /// End of what was acknowledged.
    offset: u64,
    /// End of what was synced.
    synced: u64,
    /// End of the space that was taken.
    reserved: u64,
}

impl WalWriter {
    /// A writer whose first file will have the number `next_number`.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        file_bytes: u64,
        durability: Durability,
        next_number: u64,
    ) -> Self {
        let mut buffer = Vec::new();
        group::begin(&mut buffer);
        Self {
            disk,
            folder,
            file_bytes,
            durability,
            next_number,
            open: None,
            buffer,
            requests: 0,
            synced_at: Instant::now(),
            refused: None,
            has_failed: false,
            syncs: (0, 0),
        }
    }

    /// Adds a frame to the group that [`Self::commit`] will write.
    pub(crate) fn add(&mut self, frame: &Frame) -> Result<(), Error> {
        super::frame::encode(frame, &mut self.buffer)?;
        self.requests += 1;
        Ok(())
    }

    /// Bytes in the group.
    pub(crate) fn group_bytes(&self) -> usize {
        self.buffer.len() - group::HEADER_BYTES
    }

    /// Writes the group, whose first request has the number `first`, and syncs it if durability
    /// asks for that. On an error nothing of it counts: its numbers are to be given again.
    pub(crate) fn commit(&mut self, first: u64) -> Result<(), Error> {
        self.write(first, Kind::Requests)
    }

    /// Writes rows that were carried over as a group of one request, whose number is `first`, and
    /// syncs it whatever durability says: the files before it are to be removed. On an error
    /// [`Self::remove_refused`] makes sure that nothing of it counts.
    pub(crate) fn carry(&mut self, body: &[u8], first: u64) -> Result<(), Error> {
        self.end_file();
        self.buffer.extend_from_slice(body);
        self.requests = 1;
        self.write(first, Kind::Carried)
    }

    /// Removes a file that was given up before anything in it counted, durably.
    pub(crate) fn remove_refused(&mut self) -> Result<(), Error> {
        let Some(path) = &self.refused else { return Ok(()) };
        let removed = match self.disk.remove(path) {
            // Removed before, though not durably.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        let removed = removed.and_then(|()| self.disk.sync_folder(&self.folder));
        removed.map_err(|error| disk_error(path, error))?;
        self.refused = None;
        Ok(())
    }

    fn write(&mut self, first: u64, kind: Kind) -> Result<(), Error> {
        let result = self.write_group(first, kind);
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        group::begin(&mut self.buffer);
        self.requests = 0;
        result
    }

    fn write_group(&mut self, first: u64, kind: Kind) -> Result<(), Error> {
        if self.open.as_ref().is_some_and(|open| open.offset >= self.file_bytes) {
            self.end_file();
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().map_err(|error| disk_error(&self.folder, error))?,
        };
        let header =
            Header { kind, file: open.number, synced: open.synced, first, requests: self.requests };
        group::finish(&mut self.buffer, &header);
        let at_once = RESERVED_BYTES.min(self.file_bytes);
        if let Err(error) = reserve(&mut open, self.buffer.len() as u64, at_once) {
            // Nothing was written yet, so the file is as good as before.
            let path = file_path(&self.folder, open.number);
            self.open = Some(open);
            return Err(disk_error(&path, error));
        }
        if let Err(error) = self.write_to(&mut open, kind) {
            let path = file_path(&self.folder, open.number);
            self.give_up(open);
            return Err(disk_error(&path, error));
        }
        self.open = Some(open);
        Ok(())
    }

    fn write_to(&mut self, open: &mut Open, kind: Kind) -> io::Result<()> {
        open.file.write_at(open.offset, &self.buffer)?;
        let end = open.offset + self.buffer.len() as u64;
        let is_due = match self.durability {
            _ if kind == Kind::Carried => true,
            Durability::Fsync => true,
            Durability::Interval(interval) => self.synced_at.elapsed() >= interval,
            Durability::None => false,
        };
        if is_due {
            let started = Instant::now();
            open.file.sync()?;
            let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.syncs = (self.syncs.0 + took, self.syncs.1 + 1);
            self.synced_at = Instant::now();
            open.synced = end;
        }
        open.offset = end;
        Ok(())
    }

    /// Leaves a file that could not be written or synced. What was acknowledged of it was synced
    /// before, in blocks of its own; what was refused is left out by the number that the next
    /// file begins with. Its descriptor is never used again.
    fn give_up(&mut self, open: Open) {
        self.has_failed = true;
        let Open { number, offset, file, .. } = open;
        drop(file);
        if offset == 0 {
            self.refused = Some(file_path(&self.folder, number));
        }
    }

    /// Syncs what an interval has left unsynced.
    pub(crate) fn sync_if_due(&mut self) -> Result<(), Error> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if open.synced < open.offset && self.durability != Durability::None {
            if let Err(error) = open.file.sync() {
                let path = file_path(&self.folder, open.number);
                self.give_up(open);
                return Err(disk_error(&path, error));
            }
            self.synced_at = Instant::now();
            open.synced = open.offset;
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends the current file, so that the next group begins a new one; returns the number up to
    /// which all files are ended.
    pub(crate) fn end_file(&mut self) -> u64 {
        if let Some(mut open) = self.open.take() {
            // Gives the space back that is left over, and syncs what durability has left open, so
            // that a file which others follow is whole.
            let ended = open.file.set_len(open.offset).and_then(|()| open.file.sync());
            if let Err(error) = ended {
                let path = file_path(&self.folder, open.number);
                tracing::error!(path = %path.display(), %error, "cannot end a WAL file");
                self.give_up(open);
            }
        }
        self.next_number - 1
    }

    /// Whether a file was given up since this was last asked.
    pub(crate) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.has_failed)
    }

    /// A new file, its name durable.
    fn begin(&mut self) -> io::Result<Open> {
        if let Some(path) = &self.refused {
            match self.disk.remove(path) {
                // Removed before, though not durably: the folder is synced below.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
            self.refused = None;
        }
        let number = self.next_number;
        let path = file_path(&self.folder, number);
        let file = self.disk.create(&path)?;
        self.next_number += 1;
        self.disk.sync_folder(&self.folder)?;
        Ok(Open { number, file, offset: 0, synced: 0, reserved: 0 })
    }
}

/// Takes space for `bytes` behind what a file holds, `at_once` bytes if there are as many.
fn reserve(open: &mut Open, bytes: u64, at_once: u64) -> io::Result<()> {
    let end = open.offset + bytes;
    if end <= open.reserved {
        return Ok(());
    }
    let wanted = bytes.max(at_once);
    let taken = match open.file.reserve(open.offset, wanted) {
        Ok(()) => wanted,
        // Perhaps there is room for the group alone.
        Err(_) => open.file.reserve(open.offset, bytes).map(|()| bytes)?,
    };
    open.reserved = open.offset + taken;
    Ok(())
}

/// Removes the files up to `last`, oldest first, so that what is left is never older than a gap.
pub(crate) fn remove(disk: &dyn Disk, folder: &Path, last: u64) -> Result<(), Error> {
    for (number, path) in super::read::files(disk, folder)? {
        if number <= last {
            disk.remove(&path).map_err(|error| disk_error(&path, error))?;
        }
    }
    disk.sync_folder(folder).map_err(|error| disk_error(folder, error))
}
