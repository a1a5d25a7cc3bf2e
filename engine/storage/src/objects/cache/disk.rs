//! Blocks on the local disk: a file each, checked when read, found again after a restart.
//!
//! ```text
//!  <folder>/<xx>/<number>     header │ path │ bytes of the block
//!                             └ magic, lengths, block, CRC-32C of the block, CRC-32C of all this
//! ```
//!
//! One thread writes. Nothing is synced: a file that a power failure has torn does not pass its
//! checks and is removed. What belongs to another lake is removed when the folder is opened, and
//! what is forgotten does not come back, be it on its way to the disk or not yet found by the scan.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::fifo::{Fifo, Key};
use super::stats::Meter;
use crate::clock::now_ms;

/// First bytes of a block's file; the number is the version of the form.
const MAGIC: &[u8; 8] = b"siglblk1";

/// Length of a header without the path.
const HEADER_BYTES: usize = 32;

/// Longest path of an object.
const PATH_BYTES_MAX: usize = 4096;

/// Blocks that wait to be written; more are not kept on disk.
const WAITING_MAX: usize = 32;

/// Time between two looks at the room that others leave on the disk.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Time between two warnings about a disk that does not take blocks.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// Folders that files are spread over.
const FOLDERS: u64 = 256;

/// Blocks on the local disk.
#[derive(Debug)]
pub(super) struct Disk {
    shared: Arc<Shared>,
    sender: Option<SyncSender<Job>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    bytes_max: u64,
    free_bytes_min: u64,
    block_bytes: u64,
    index: Mutex<Index>,
    meter: Arc<Meter>,
    next: AtomicU64,
    is_closing: AtomicBool,
}

/// What is on the disk, and what comes to it.
#[derive(Debug)]
struct Index {
    blocks: Fifo<Stored>,
    /// Blocks that were offered and are not written yet.
    waiting: HashSet<Key>,
    /// Objects that were forgotten while the folder is scanned; `None` when that is done.
    gone: Option<HashSet<String>>,
}

/// Where a block lies.
#[derive(Clone, Copy, Debug)]
struct Stored {
    number: u64,
}

struct Job {
    key: Key,
    bytes: Bytes,
}

impl Disk {
    /// Opens a folder of blocks of `lake`; what is in it is found in the background.
    pub(super) fn open(
        folder: &Path,
        lake: &str,
        limits: (u64, u64),
        block_bytes: u64,
        meter: Arc<Meter>,
    ) -> io::Result<Self> {
        claim(folder, lake)?;
        // Numbers of earlier processes are lower, unless the clock went back: then a file that
        // exists is not overwritten, and its block is not kept.
        let next = AtomicU64::new(u64::try_from(now_ms()).unwrap_or(0) << 16);
        let (bytes_max, free_bytes_min) = limits;
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            bytes_max,
            free_bytes_min,
            block_bytes,
            index: Mutex::new(Index {
                blocks: Fifo::default(),
                waiting: HashSet::new(),
                gone: Some(HashSet::new()),
            }),
            meter,
            next,
            is_closing: AtomicBool::new(false),
        });
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("cache".to_owned()).spawn(move || {
            writer.scan();
            writer.serve(&receiver);
        })?;
        Ok(Self { shared, sender: Some(sender) })
    }

    /// Keeps a block, unless it is there or too many wait to be written.
    pub(super) fn offer(&self, key: Key, bytes: Bytes) {
        {
            let mut index = self.shared.index.lock();
            if index.blocks.contains(&key) || !index.waiting.insert(key.clone()) {
                return;
            }
        }
        let job = Job { key: key.clone(), bytes };
        let sent = self.sender.as_ref().map(|sender| sender.try_send(job));
        if !matches!(sent, Some(Ok(()))) {
            self.shared.index.lock().waiting.remove(&key);
            self.shared.meter.skipped();
        }
    }

    /// Whether a block is here.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.shared.index.lock().blocks.contains(key)
    }

    /// A block, checked; `None` if it is not here or damaged. Blocks the thread.
    pub(super) fn read(&self, key: &Key) -> Option<Bytes> {
        let stored = *self.shared.index.lock().blocks.get(key)?;
        let path = self.shared.path(stored.number);
        match read_block(&path, key) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                // It may have been evicted a moment ago; else something has damaged it.
                let known = self.shared.index.lock().blocks.remove(key);
                if known.is_some() {
                    tracing::warn!(path = %path.display(), %error, "a cached block is damaged");
                    self.shared.meter.damaged();
                    self.shared.remove(stored);
                }
                None
            }
        }
    }

    /// Removes all blocks of objects.
    pub(super) fn forget(&self, paths: &HashSet<String>) {
        let stored = self.shared.index.lock().forget(paths);
        for stored in stored {
            self.shared.remove(stored);
        }
    }

    /// Bytes of all blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.index.lock().blocks.bytes()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The thread ends when it has nothing more to receive.
        self.shared.is_closing.store(true, Ordering::Relaxed);
        self.sender = None;
    }
}

impl Index {
    /// Drops all blocks of objects, those that are to come, too; where they lie.
    fn forget(&mut self, paths: &HashSet<String>) -> Vec<Stored> {
        self.waiting.retain(|key| !paths.contains(&*key.path));
        if let Some(gone) = &mut self.gone {
            gone.extend(paths.iter().cloned());
        }
        self.blocks.remove_objects(paths)
    }
}

impl Shared {
    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{:02x}", number % FOLDERS)).join(format!("{number:016x}"))
    }

    fn remove(&self, stored: Stored) {
        // Another reader may have found the damage, too.
        let _ = fs::remove_file(self.path(stored.number));
    }

    /// Takes in what earlier processes have left.
    fn scan(&self) {
        let mut numbers: Vec<u64> = Vec::new();
        for folder in 0..FOLDERS {
            let Ok(files) = fs::read_dir(self.folder.join(format!("{folder:02x}"))) else {
                continue;
            };
            for file in files.flatten() {
                let name = file.file_name();
                match name.to_str().and_then(|name| u64::from_str_radix(name, 16).ok()) {
                    Some(number) if number % FOLDERS == folder => numbers.push(number),
                    _ => {
                        // Not ours; what cannot be removed is met again at the next start.
                        let _ = fs::remove_file(file.path());
                    }
                }
            }
        }
        // Oldest first, as they were written.
        numbers.sort_unstable();
        for number in numbers {
            if self.is_closing.load(Ordering::Relaxed) {
                return;
            }
            match read_header(&self.path(number)) {
                Ok((header, key)) if header.block_bytes == self.block_bytes => {
                    self.admit(&key, Stored { number }, header.bytes, |index| {
                        index.gone.as_ref().is_none_or(|gone| !gone.contains(&*key.path))
                    });
                }
                _ => self.remove(Stored { number }),
            }
        }
        let bytes = {
            let mut index = self.index.lock();
            index.gone = None;
            index.blocks.bytes()
        };
        tracing::debug!(bytes, "cached blocks of earlier runs are known");
    }

    fn serve(&self, receiver: &Receiver<Job>) {
        let mut warned: Option<Instant> = None;
        loop {
            let done = match receiver.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.make_room(0),
                Ok(_) if self.is_closing.load(Ordering::Relaxed) => return,
                Ok(job) => {
                    let stored = self.store(&job);
                    self.index.lock().waiting.remove(&job.key);
                    stored
                }
            };
            if let Err(error) = done {
                self.meter.skipped();
                if warned.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                    tracing::warn!(folder = %self.folder.display(), %error, "blocks are not cached");
                    warned = Some(Instant::now());
                }
            }
        }
    }

    fn store(&self, job: &Job) -> io::Result<()> {
        let Job { key, bytes } = job;
        if !self.index.lock().waiting.contains(key) {
            return Ok(());
        }
        self.make_room(bytes.len() as u64)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path(number);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let written = write_block(&path, key, bytes, self.block_bytes);
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written?;
        self.admit(key, Stored { number }, bytes.len() as u64, |index| index.waiting.contains(key));
        Ok(())
    }

    /// Removes blocks as long as the disk has less room than it should.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        if bytes > self.bytes_max {
            return Err(io::Error::other("a block is larger than the cache"));
        }
        loop {
            let free = rustix::fs::statvfs(&self.folder)?;
            let free = free.f_bavail.saturating_mul(free.f_frsize);
            if free >= self.free_bytes_min.saturating_add(bytes) {
                return Ok(());
            }
            let Some((stored, _)) = self.index.lock().blocks.evict() else {
                return Err(io::Error::other(format!(
                    "the disk has {free} bytes left, and {} are kept free",
                    self.free_bytes_min
                )));
            };
            self.remove(stored);
            self.meter.evicted_from_disk();
        }
    }

    /// Makes a block known if it is still `wanted`, else removes it; and removes others if there
    /// are too many bytes.
    fn admit(&self, key: &Key, stored: Stored, bytes: u64, wanted: impl Fn(&Index) -> bool) {
        let mut gone = Vec::new();
        {
            let mut index = self.index.lock();
            if wanted(&index) {
                gone.extend(index.blocks.insert(key.clone(), stored, bytes));
            } else {
                gone.push(stored);
            }
            while index.blocks.bytes() > self.bytes_max {
                let Some((evicted, _)) = index.blocks.evict() else { break };
                gone.push(evicted);
                self.meter.evicted_from_disk();
            }
        }
        for stored in gone {
            self.remove(stored);
        }
    }
}

/// Makes a folder one of `lake`: blocks of another lake may have the same names.
fn claim(folder: &Path, lake: &str) -> io::Result<()> {
    let name = folder.join("lake");
    if fs::read_to_string(&name).is_ok_and(|found| found == lake) {
        return Ok(());
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    fs::write(name, lake)
}

struct Header {
    path_bytes: usize,
    block: u32,
    block_bytes: u64,
    bytes: u64,
    crc32c: u32,
}

/// `MAGIC │ path u32 │ block u32 │ block size u32 │ bytes u32 │ crc u32 │ crc of these and path`.
fn encode_header(key: &Key, bytes: &Bytes, block_bytes: u64) -> io::Result<Vec<u8>> {
    let small = |length: u64| u32::try_from(length).map_err(io::Error::other);
    let mut header = Vec::with_capacity(HEADER_BYTES + key.path.len());
    header.extend_from_slice(MAGIC);
    for field in [
        small(key.path.len() as u64)?,
        key.block,
        small(block_bytes)?,
        small(bytes.len() as u64)?,
        crc32c::crc32c(bytes),
    ] {
        header.extend_from_slice(&field.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header), key.path.as_bytes());
    header.extend_from_slice(&crc.to_le_bytes());
    header.extend_from_slice(key.path.as_bytes());
    Ok(header)
}

fn write_block(path: &Path, key: &Key, bytes: &Bytes, block_bytes: u64) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(&encode_header(key, bytes, block_bytes)?)?;
    file.write_all(bytes)
}

fn read_header(path: &Path) -> io::Result<(Header, Key)> {
    let mut file = File::open(path)?;
    let (header, key) = decode_header(&mut file)?;
    let expected = HEADER_BYTES as u64 + header.path_bytes as u64 + header.bytes;
    if file.metadata()?.len() != expected {
        return Err(damaged("has another length"));
    }
    Ok((header, key))
}

fn decode_header(file: &mut File) -> io::Result<(Header, Key)> {
    let mut fixed = [0; HEADER_BYTES];
    file.read_exact(&mut fixed)?;
    let field = |at: usize| {
        let at = MAGIC.len() + 4 * at;
        u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
    };
    let header = Header {
        path_bytes: field(0) as usize,
        block: field(1),
        block_bytes: u64::from(field(2)),
        bytes: u64::from(field(3)),
        crc32c: field(4),
    };
    if !fixed.starts_with(MAGIC) || header.path_bytes > PATH_BYTES_MAX {
        return Err(damaged("is no block"));
    }
    let mut name = vec![0; header.path_bytes];
    file.read_exact(&mut name)?;
    let crc = crc32c::crc32c(&fixed[..HEADER_BYTES - 4]);
    if crc32c::crc32c_append(crc, &name) != field(5) {
        return Err(damaged("has a damaged header"));
    }
    let name = String::from_utf8(name).map_err(|_| damaged("has a damaged header"))?;
    let key = Key { path: Arc::from(name), block: header.block };
    Ok((header, key))
}

fn read_block(path: &Path, key: &Key) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let (header, found) = decode_header(&mut file)?;
    if found != *key {
        return Err(damaged("holds another block"));
    }
    let length = usize::try_from(header.bytes).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    if crc32c::crc32c(&bytes) != header.crc32c {
        return Err(damaged("does not have its checksum"));
    }
    Ok(bytes.into())
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
