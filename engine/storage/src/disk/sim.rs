//! A disk that loses power: it keeps what was synced, and of the rest what it likes.
//!
//! Memory has two states of every file and name, what a process sees and what would be left. A cut
//! keeps a random part of the unsynced writes, block by block and in any order, torn in the middle
//! of one, and of a folder's changed names a random part. It can refuse calls, too: a disk that is
//! full, or that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile};

/// Bytes that a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// A source of chance: xorshift, so that a history is its seed.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }

    /// Whether something that happens once in `n` times happens.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// Sectors that a sync will write: those of a sync that failed are among them no more.
    dirty: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    seen: BTreeMap<PathBuf, usize>,
    kept: BTreeMap<PathBuf, usize>,
    /// Incremented by a cut: files opened before are gone.
    boots: u64,
    faults: Option<Faults>,
    /// Bytes that may still be written.
    room: Option<u64>,
}

/// How often calls fail.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) chance: Chance,
    /// One in so many writes and syncs fails.
    pub(crate) once_in: u64,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    inode: usize,
    boot: u64,
}

fn broken() -> io::Error {
    io::Error::other("the simulated disk fails")
}

fn full() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

fn absent() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl SimDisk {
    /// Takes the power away and gives it back.
    pub(crate) fn cut_power(&self, chance: &mut Chance) {
        let state = &mut *self.state.lock();
        state.boots += 1;
        state.faults = None;
        for inode in &mut state.inodes {
            inode.cut(chance);
        }
        let names: Vec<PathBuf> = state.seen.keys().chain(state.kept.keys()).cloned().collect();
        for name in names {
            if chance.once_in(2) {
                match state.seen.get(&name) {
                    Some(inode) => state.kept.insert(name, *inode),
                    None => state.kept.remove(&name),
                };
            }
        }
        state.seen = state.kept.clone();
    }

    /// Ends the process, not the disk: everything seen stays.
    pub(crate) fn kill(&self) {
        let mut state = self.state.lock();
        state.boots += 1;
        state.faults = None;
    }

    pub(crate) fn set_faults(&self, faults: Option<Faults>) {
        self.state.lock().faults = faults;
    }

    /// Bounds how many bytes may still be written and reserved.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.state.lock().room = bytes;
    }

    /// The bytes of a file as a process sees them.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state.lock();
        state.inodes[state.seen[path]].seen.clone()
    }

    /// Changes a file behind everyone's back.
    pub(crate) fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        let inode = state.seen[path];
        let dirty = BTreeSet::new();
        state.inodes[inode] = Inode { seen: bytes.clone(), kept: bytes, dirty };
    }
}

impl State {
    fn may_fail(&mut self) -> io::Result<()> {
        let Some(Faults { chance, once_in }) = &mut self.faults else { return Ok(()) };
        if chance.once_in(*once_in) { Err(broken()) } else { Ok(()) }
    }
}

impl Inode {
    /// Keeps a random part of what was not synced.
    fn cut(&mut self, chance: &mut Chance) {
        // The length is what it was, what it was to become, or in between.
        let (short, long) =
            (self.seen.len().min(self.kept.len()), self.seen.len().max(self.kept.len()));
        let length = match chance.below(3) {
            0 => self.kept.len(),
            1 => self.seen.len(),
            _ => short + chance.below((long - short) as u64 + 1) as usize,
        };
        let mut left = self.kept.clone();
        left.resize(length, 0);
        let keeps_most = chance.once_in(2);
        for sector in std::mem::take(&mut self.dirty) {
            if if keeps_most { !chance.once_in(8) } else { chance.once_in(2) } {
                self.keep(sector, &mut left);
            }
        }
        self.seen.clone_from(&left);
        self.kept = left;
    }

    /// Copies a sector as far as both sides reach.
    fn keep(&self, sector: usize, kept: &mut [u8]) {
        let end = ((sector + 1) * SECTOR_BYTES).min(kept.len()).min(self.seen.len());
        let start = (sector * SECTOR_BYTES).min(end);
        kept[start..end].copy_from_slice(&self.seen[start..end]);
    }

    fn sync(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector, &mut kept);
        }
        self.kept = kept;
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.may_fail()?;
        if state.seen.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.seen.insert(path.to_owned(), inode);
        let boot = state.boots;
        Ok(Box::new(SimFile { state: Arc::clone(&self.state), inode, boot }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state.lock();
        let inode = *state.seen.get(path).ok_or_else(absent)?;
        let boot = state.boots;
        Ok(Box::new(SimFile { state: Arc::clone(&self.state), inode, boot }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state.lock();
        Ok(state.seen.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.may_fail()?;
        state.seen.remove(path).map(|_| ()).ok_or_else(absent)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.may_fail()?;
        let inode = state.seen.remove(from).ok_or_else(absent)?;
        state.seen.insert(to.to_owned(), inode);
        Ok(())
    }

    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        state.may_fail()?;
        state.kept.retain(|path, _| path.parent() != Some(folder));
        let seen = state.seen.iter().filter(|(path, _)| path.parent() == Some(folder));
        state.kept.extend(seen.map(|(path, inode)| (path.clone(), *inode)));
        Ok(())
    }
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.boots != self.boot {
            return Err(io::Error::other("the process that opened the file has ended"));
        }
        act(&mut state)
    }
}

impl DiskFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.inodes[self.inode].seen.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.with(|state| {
            let seen = &state.inodes[self.inode].seen;
            let start = (offset as usize).min(seen.len());
            let read = buffer.len().min(seen.len() - start);
            buffer[..read].copy_from_slice(&seen[start..start + read]);
            Ok(read)
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (inode, start) = (self.inode, offset as usize);
        self.with(|state| {
            let written = match state.may_fail() {
                Ok(()) => bytes.len(),
                // Half of it is there.
                Err(_) => bytes.len() / 2,
            };
            let Inode { seen, dirty, .. } = &mut state.inodes[inode];
            if seen.len() < start + written {
                seen.resize(start + written, 0);
            }
            dirty.extend(start / SECTOR_BYTES..(start + written).div_ceil(SECTOR_BYTES));
            seen[start..start + written].copy_from_slice(&bytes[..written]);
            if written == bytes.len() { Ok(()) } else { Err(broken()) }
        })
    }

    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        let inode = self.inode;
        self.with(|state| {
            state.may_fail()?;
            if let Some(room) = &mut state.room {
                *room = room.checked_sub(bytes).ok_or_else(full)?;
            }
            let (seen, end) = (&mut state.inodes[inode].seen, (offset + bytes) as usize);
            if seen.len() < end {
                seen.resize(end, 0);
            }
            Ok(())
        })
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let inode = self.inode;
        self.with(|state| {
            state.may_fail()?;
            state.inodes[inode].seen.resize(bytes as usize, 0);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let inode = self.inode;
        self.with(|state| {
            let failed = state.may_fail();
            let inode = &mut state.inodes[inode];
            if failed.is_err() {
                // The kernel takes what it could not write for written.
                inode.dirty.clear();
                return failed;
            }
            inode.sync();
            Ok(())
        })
    }
}
