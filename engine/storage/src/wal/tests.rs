//! Round trips, torn tails, damage and full disks.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use schemas::model::Signal;

use super::file::{Files, LogFile};
use super::*;
use crate::{Durability, Error, ErrorKind, Frame};

fn frame(text: &str) -> Frame {
    Frame {
        tenant: "t".into(),
        signal: Signal::Logs,
        encoding: 3,
        received_ns: 42,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        notes: Bytes::new(),
        identity: None,
    }
}

fn read_all(dir: &Path) -> Result<Vec<(u64, Frame)>, Error> {
    let mut frames = Vec::new();
    for file in replay(dir)? {
        frames.extend(file?.frames);
    }
    Ok(frames)
}

fn payloads(dir: &Path) -> Vec<(u64, String)> {
    let text = |frame: Frame| String::from_utf8(frame.payload.to_vec()).unwrap();
    read_all(dir).unwrap().into_iter().map(|(seq, frame)| (seq, text(frame))).collect()
}

fn open(dir: &Path, file_bytes: u64, number: u64) -> WalWriter {
    let files = Box::new(OsFiles);
    WalWriter::new(dir.to_owned(), file_bytes, Durability::Fsync, files, number)
}

fn write(wal: &mut WalWriter, sequence: u64, text: &str) -> Result<(), Error> {
    wal.add(&frame(text), sequence).unwrap();
    wal.commit()
}

fn owned(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(seq, text)| (*seq, (*text).to_owned())).collect()
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths
}

#[test]
fn frames_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = open(dir.path(), 1 << 20, 1);
    write(&mut wal, 1, "a").unwrap();
    wal.add(&frame(""), 2).unwrap();
    wal.add(&frame("ccc"), 3).unwrap();
    wal.commit().unwrap();
    assert_eq!(wal.syncs.1, 2, "a group is synced once");
    drop(wal);
    assert_eq!(payloads(dir.path()), owned(&[(1, "a"), (2, ""), (3, "ccc")]));
    let (_, first) = read_all(dir.path()).unwrap().remove(0);
    assert_eq!((first.tenant.as_ref(), first.signal), ("t", Signal::Logs));
    assert_eq!((first.encoding, first.received_ns), (3, 42));
}

#[test]
fn a_torn_tail_loses_the_last_frame_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = open(dir.path(), 1 << 20, 1);
    write(&mut wal, 1, "kept").unwrap();
    write(&mut wal, 2, "torn apart").unwrap();
    wal.end_file().unwrap();
    let path = paths(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let second = whole.len() - 10 - (whole.len() - 14) / 2;
    assert_eq!(&whole[second - 4..second], b"kept");
    for cut in second..whole.len() {
        // Cut short, and with preallocated zeros behind.
        for zeros in [0, 100] {
            let mut torn = whole[..cut].to_vec();
            torn.resize(cut + zeros, 0);
            fs::write(&path, &torn).unwrap();
            assert_eq!(payloads(dir.path()), owned(&[(1, "kept")]), "cut at {cut}");
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(payloads(dir.path()).len(), 2);
}

#[test]
fn a_torn_tail_stays_harmless_when_files_follow() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = open(dir.path(), 1 << 20, 1);
    write(&mut wal, 1, "kept").unwrap();
    write(&mut wal, 2, "torn").unwrap();
    wal.end_file().unwrap();
    let path = paths(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(payloads(dir.path()), owned(&[(1, "kept")]));
    let mut wal = open(dir.path(), 1 << 20, 2);
    write(&mut wal, 2, "after").unwrap();
    drop(wal);
    assert_eq!(payloads(dir.path()), owned(&[(1, "kept"), (2, "after")]));
}

#[test]
fn damage_before_the_last_file_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = open(dir.path(), 1, 1);
    for (sequence, text) in [(1, "one"), (2, "two"), (3, "three")] {
        write(&mut wal, sequence, text).unwrap();
    }
    wal.end_file().unwrap();
    let paths = paths(dir.path());
    assert_eq!(paths.len(), 3);
    let whole = fs::read(&paths[1]).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&paths[1], &flipped).unwrap();
        let error = read_all(dir.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "byte {at}");
        assert!(error.to_string().contains(paths[1].to_str().unwrap()));
    }
    fs::write(&paths[1], &whole).unwrap();
    assert_eq!(payloads(dir.path()).len(), 3);
    fs::remove_file(&paths[1]).unwrap();
    assert_eq!(read_all(dir.path()).unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn removed_files_are_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = open(dir.path(), 1 << 20, 1);
    write(&mut wal, 1, "released").unwrap();
    let ended = wal.end_file().unwrap();
    write(&mut wal, 2, "kept").unwrap();
    remove(dir.path(), ended).unwrap();
    drop(wal);
    assert_eq!(payloads(dir.path()), owned(&[(2, "kept")]));
}

/// A disk that can be full or broken.
#[derive(Clone, Debug, Default)]
struct Faults {
    is_limited: bool,
    bytes_left: Arc<AtomicUsize>,
    syncs_fail: Arc<AtomicUsize>,
    cuts_fail: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct FaultyFile(fs::File, Faults);

fn count_down(counter: &AtomicUsize) -> io::Result<()> {
    let down = |count: usize| count.checked_sub(1);
    match counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down) {
        Ok(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        Err(_) => Ok(()),
    }
}

impl Files for Faults {
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(FaultyFile(fs::File::create_new(path)?, self.clone())))
    }
}

impl LogFile for FaultyFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let left = self.1.bytes_left.load(Ordering::SeqCst);
        if self.1.is_limited && bytes.len() > left {
            LogFile::write_at(&mut self.0, offset, &bytes[..left])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        LogFile::write_at(&mut self.0, offset, bytes)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        count_down(&self.1.cuts_fail)?;
        LogFile::set_len(&mut self.0, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        count_down(&self.1.syncs_fail)?;
        LogFile::sync(&mut self.0)
    }
}

fn open_faulty(dir: &Path, faults: &Faults) -> WalWriter {
    let files = Box::new(faults.clone());
    WalWriter::new(dir.to_owned(), 1 << 20, Durability::Fsync, files, 1)
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults { is_limited: true, ..Faults::default() };
    faults.bytes_left.store(100, Ordering::SeqCst);
    let mut wal = open_faulty(dir.path(), &faults);
    write(&mut wal, 1, "fits").unwrap();
    for _ in 0..3 {
        let error = write(&mut wal, 2, &"x".repeat(200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(payloads(dir.path()), owned(&[(1, "fits")]));
    }
    faults.bytes_left.store(1000, Ordering::SeqCst);
    write(&mut wal, 2, "again").unwrap();
    drop(wal);
    assert_eq!(payloads(dir.path()), owned(&[(1, "fits"), (2, "again")]));
}

#[test]
fn a_failed_sync_acknowledges_nothing_and_replays_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let mut wal = open_faulty(dir.path(), &faults);
    write(&mut wal, 1, "a").unwrap();
    // The sync fails, then cutting it off fails, twice.
    faults.syncs_fail.store(1, Ordering::SeqCst);
    faults.cuts_fail.store(2, Ordering::SeqCst);
    assert!(write(&mut wal, 2, "b").is_err());
    assert!(write(&mut wal, 2, "c").is_err());
    write(&mut wal, 2, "d").unwrap();
    drop(wal);
    assert_eq!(payloads(dir.path()), owned(&[(1, "a"), (2, "d")]));
}
