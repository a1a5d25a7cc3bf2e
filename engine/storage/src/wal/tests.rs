//! Round trips, torn tails, damage, failing disks and power cuts.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use schemas::model::Signal;

use super::group::BLOCK_BYTES;
use super::*;
use crate::disk::sim::{Chance, Faults, SimDisk};
use crate::disk::{Disk, OsDisk};
use crate::{Durability, Error, ErrorKind, Frame, Identity};

const FILE_BYTES: u64 = 64 << 10;

fn frame(text: &str) -> Frame {
    Frame {
        tenant: "t".into(),
        signal: Signal::Logs,
        encoding: 3,
        received_ns: 42,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        notes: Bytes::from_static(b"notes"),
        identity: Some(Identity { hash: u128::MAX - 5, records: 3, rejected: 1 }),
    }
}

/// A log on a simulated disk.
struct Rig {
    disk: SimDisk,
    folder: PathBuf,
}

impl Rig {
    fn new() -> Self {
        Self { disk: SimDisk::default(), folder: PathBuf::from("/wal") }
    }

    fn log(&self) -> Result<Log, Error> {
        Log::open(Arc::new(self.disk.clone()), &self.folder)
    }

    fn writer(&self, durability: Durability, file_bytes: u64) -> WalWriter {
        let disk = Arc::new(self.disk.clone());
        let next = self.log().unwrap().last_number + 1;
        WalWriter::new(disk, self.folder.clone(), file_bytes, durability, next)
    }

    fn read(&self) -> Result<Vec<(u64, Frame)>, Error> {
        let mut frames = Vec::new();
        self.log()?.read(|read| {
            if let Read::Requests { first, frames: group, .. } = read {
                frames.extend((first..).zip(group));
            }
            Ok(())
        })?;
        Ok(frames)
    }

    fn payloads(&self) -> Vec<(u64, String)> {
        texts(self.read().unwrap())
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.disk.list(&self.folder).unwrap()
    }
}

fn texts(frames: Vec<(u64, Frame)>) -> Vec<(u64, String)> {
    let text = |frame: Frame| String::from_utf8(frame.payload.to_vec()).unwrap();
    frames.into_iter().map(|(seq, frame)| (seq, text(frame))).collect()
}

fn write(wal: &mut WalWriter, sequence: u64, text: &str) -> Result<(), Error> {
    wal.add(&frame(text)).unwrap();
    wal.commit(sequence)
}

fn owned(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(seq, text)| (*seq, (*text).to_owned())).collect()
}

#[test]
fn frames_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let folder = dir.path().to_owned();
    let mut wal = WalWriter::new(Arc::clone(&disk), folder, FILE_BYTES, Durability::Fsync, 1);
    write(&mut wal, 1, "a").unwrap();
    let plain = Frame { identity: None, notes: Bytes::new(), ..frame("") };
    wal.add(&plain).unwrap();
    wal.add(&frame(&"c".repeat(100_000))).unwrap();
    wal.commit(2).unwrap();
    assert_eq!(wal.syncs.1, 2, "a group is synced once");
    drop(wal);
    let mut frames = Vec::new();
    let log = Log::open(disk, dir.path()).unwrap();
    assert_eq!((log.first(), log.last_number), (Some(1), 1));
    log.read(|read| {
        let Read::Requests { first, frames: group, file: 1 } = read else { panic!("{read:?}") };
        frames.extend((first..).zip(group));
        Ok(())
    })
    .unwrap();
    assert_eq!(frames[0].1.identity, frame("").identity);
    assert_eq!(frames[0].1.notes, "notes");
    assert_eq!((frames[0].1.tenant.as_ref(), frames[0].1.signal), ("t", Signal::Logs));
    assert_eq!((frames[0].1.encoding, frames[0].1.received_ns), (3, 42));
    assert_eq!((frames[1].1.identity, frames[1].1.notes.len()), (None, 0));
    let long = "c".repeat(100_000);
    assert_eq!(texts(frames), owned(&[(1, "a"), (2, ""), (3, &long)]));
    // Replay has given the reserved space back.
    let left = std::fs::metadata(file_path(dir.path(), 1)).unwrap().len();
    assert_eq!(left, (BLOCK_BYTES + 26 * BLOCK_BYTES) as u64 - BLOCK_BYTES as u64);
}

#[test]
fn a_torn_tail_loses_the_last_group_only() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    write(&mut wal, 1, "kept").unwrap();
    write(&mut wal, 2, &"torn apart".repeat(1_000)).unwrap();
    wal.end_file();
    let path = rig.paths().remove(0);
    let whole = rig.disk.bytes(&path);
    for cut in (BLOCK_BYTES..whole.len() - BLOCK_BYTES).step_by(100) {
        // Cut short, and with reserved zeros behind.
        for zeros in [0, 9_000] {
            let mut torn = whole[..cut].to_vec();
            torn.resize(cut + zeros, 0);
            rig.disk.overwrite(&path, torn);
            assert_eq!(rig.payloads(), owned(&[(1, "kept")]), "cut at {cut}");
        }
    }
    rig.disk.overwrite(&path, whole);
    assert_eq!(rig.payloads().len(), 2);
}

#[test]
fn a_torn_tail_stays_harmless_when_files_follow() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    write(&mut wal, 1, "kept").unwrap();
    write(&mut wal, 2, "torn").unwrap();
    let path = rig.paths().remove(0);
    let mut torn = rig.disk.bytes(&path);
    torn[BLOCK_BYTES + 60] ^= 1;
    rig.disk.overwrite(&path, torn);
    rig.disk.kill();
    // Twice: a crash may come right after the tail was cut.
    assert_eq!(rig.payloads(), owned(&[(1, "kept")]));
    assert_eq!(rig.payloads(), owned(&[(1, "kept")]));
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    write(&mut wal, 2, "after").unwrap();
    assert_eq!(rig.payloads(), owned(&[(1, "kept"), (2, "after")]));
}

/// Three groups in one file and one in the next.
fn four_groups() -> (Rig, Vec<PathBuf>) {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    for (sequence, text) in [(1, "one"), (2, "two"), (3, "three")] {
        write(&mut wal, sequence, text).unwrap();
    }
    wal.end_file();
    write(&mut wal, 4, "four").unwrap();
    let paths = rig.paths();
    assert_eq!(paths.len(), 2);
    rig.disk.kill();
    (rig, paths)
}

#[test]
fn damage_before_the_end_refuses_and_names_file_and_offset() {
    let (rig, paths) = four_groups();
    let whole = rig.disk.bytes(&paths[0]);
    for at in (0..whole.len()).filter(|at| at % BLOCK_BYTES < 120) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        if flipped == whole {
            continue;
        }
        rig.disk.overwrite(&paths[0], flipped);
        let group = at / BLOCK_BYTES * BLOCK_BYTES;
        let is_padding = at % BLOCK_BYTES >= 4 + 52 + 16 + 24 + 1 + 5 + 5;
        if is_padding {
            assert!(rig.read().is_ok(), "byte {at}");
            continue;
        }
        let error = match rig.read() {
            Err(error) => error,
            Ok(frames) => {
                // The lengths of the three texts differ: this is padding, too.
                assert!(at % BLOCK_BYTES >= 4 + 52 + 16 + 24 + 1 + 5 + 3, "byte {at}");
                assert_eq!(frames.len(), 4);
                continue;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Damaged, "byte {at}");
        let text = error.to_string();
        assert!(text.contains(&format!("damaged at byte {group}")), "{text}");
        assert!(text.contains(paths[0].to_str().unwrap()) && text.contains("set-aside"), "{text}");
    }
    rig.disk.overwrite(&paths[0], whole);
    assert_eq!(rig.payloads().len(), 4);
    rig.disk.remove(&paths[0]).unwrap();
    assert_eq!(rig.log().unwrap().first(), Some(4), "what the store compares with its catalogs");
}

#[test]
fn damage_in_the_last_file_is_told_from_a_torn_tail() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    for (sequence, text) in [(1, "one"), (2, "two"), (3, "three")] {
        write(&mut wal, sequence, text).unwrap();
    }
    rig.disk.kill();
    let path = rig.paths().remove(0);
    let whole = rig.disk.bytes(&path);
    for group in 0..3 {
        let mut flipped = whole.clone();
        flipped[group * BLOCK_BYTES + 70] ^= 1;
        rig.disk.overwrite(&path, flipped);
        match rig.read() {
            Err(error) => {
                assert!(group < 2);
                let text = error.to_string();
                assert!(text.contains(&format!("damaged at byte {}:", group * BLOCK_BYTES)));
            }
            // Nothing follows that would say that the last group was acknowledged.
            Ok(frames) => assert_eq!((group, frames.len()), (2, 2)),
        }
    }
}

#[test]
fn a_damaged_file_is_set_aside_at_the_price_of_what_cannot_be_read() {
    let disk = |rig: &Rig| Arc::new(rig.disk.clone()) as Arc<dyn Disk>;
    for group in 0..3 {
        let (rig, paths) = four_groups();
        let whole = rig.disk.bytes(&paths[0]);
        let untouched = repair::set_aside_on(&disk(&rig), &paths[0]).unwrap();
        assert_eq!((untouched.moved_to, untouched.kept, untouched.lost), (None, 3, 0));
        let mut flipped = whole.clone();
        flipped[group * BLOCK_BYTES + 70] ^= 1;
        rig.disk.overwrite(&paths[0], flipped.clone());
        let done = repair::set_aside_on(&disk(&rig), &paths[0]).unwrap();
        if group == 0 {
            // The oldest file: nothing says that a request was before.
            assert_eq!((done.kept, done.lost), (2, 0));
        } else {
            assert_eq!((done.kept, done.lost), (2, 1));
        }
        assert_eq!(done.damaged_at, [(group * BLOCK_BYTES) as u64]);
        assert_eq!(rig.disk.bytes(&done.moved_to.unwrap()), flipped);
        let mut expected = owned(&[(1, "one"), (2, "two"), (3, "three"), (4, "four")]);
        expected.remove(group);
        assert_eq!(rig.payloads(), expected);
        // The second file lies behind a readable one, so its loss is known to the request.
        let mut flipped = rig.disk.bytes(&paths[1]);
        flipped[70] ^= 1;
        rig.disk.overwrite(&paths[1], flipped);
        let done = repair::set_aside_on(&disk(&rig), &paths[1]).unwrap();
        assert_eq!((done.kept, done.lost), (0, 0), "how many there were is not known");
        expected.pop();
        assert_eq!(rig.payloads(), expected);
    }
}

#[test]
fn removed_files_are_not_missed() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    write(&mut wal, 1, "released").unwrap();
    let ended = wal.end_file();
    write(&mut wal, 2, "kept").unwrap();
    remove(&rig.disk, &rig.folder, ended).unwrap();
    assert_eq!(rig.payloads(), owned(&[(2, "kept")]));
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    rig.disk.set_room(Some(8_192));
    write(&mut wal, 1, "fits").unwrap();
    for _ in 0..3 {
        let error = write(&mut wal, 2, &"x".repeat(9_000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    write(&mut wal, 2, "fits as well").unwrap();
    assert!(write(&mut wal, 3, "too much").is_err());
    assert!(!wal.take_failed(), "nothing was written in vain");
    rig.disk.set_room(Some(100 << 20));
    write(&mut wal, 3, "again").unwrap();
    rig.disk.kill();
    assert_eq!(rig.payloads(), owned(&[(1, "fits"), (2, "fits as well"), (3, "again")]));
    assert_eq!(rig.paths().len(), 1);
}

#[test]
fn a_failed_sync_is_never_tried_again_on_the_same_file() {
    let rig = Rig::new();
    let mut wal = rig.writer(Durability::Fsync, FILE_BYTES);
    write(&mut wal, 1, "a").unwrap();
    rig.disk.set_faults(Some(Faults { chance: Chance::new(1), once_in: 1 }));
    assert!(write(&mut wal, 2, "b").is_err());
    assert!(write(&mut wal, 2, "c").is_err());
    rig.disk.set_faults(None);
    assert!(wal.take_failed() && !wal.take_failed());
    write(&mut wal, 2, "d").unwrap();
    // The simulated kernel calls later syncs of the first file a success, and forgets.
    rig.disk.cut_power(&mut Chance::new(7));
    assert_eq!(rig.payloads(), owned(&[(1, "a"), (2, "d")]));
}

/// One process's life: groups are written until the disk fails for good, then it ends.
/// Returns what was acknowledged of it.
fn live(rig: &Rig, chance: &mut Chance, next: &mut u64) -> Vec<(u64, String)> {
    let mut acknowledged = Vec::new();
    let mut wal = rig.writer(Durability::Fsync, 8_192 + chance.below(40_000));
    if chance.once_in(2) {
        let faults = Faults { chance: chance.clone(), once_in: 3 + chance.below(40) };
        rig.disk.set_faults(Some(faults));
    }
    for _ in 0..chance.below(12) {
        let mut group = Vec::new();
        for _ in 0..=chance.below(3) {
            let length = if chance.once_in(5) { chance.below(20_000) } else { chance.below(90) };
            let text = format!("{}-{}", chance.below(1 << 40), "x".repeat(length as usize));
            wal.add(&frame(&text)).unwrap();
            group.push((*next + group.len() as u64, text));
        }
        if wal.commit(*next).is_ok() {
            *next += group.len() as u64;
            acknowledged.extend(group);
        }
        if chance.once_in(9) {
            wal.end_file();
        }
    }
    acknowledged
}

/// Everything acknowledged is there, in order and once; behind it at most what was under way.
#[test]
fn random_histories_survive_power_cuts() {
    let histories = std::env::var("SIGLAKE_HISTORIES").map_or(2_000, |n| n.parse().unwrap());
    for seed in 0..histories {
        let mut chance = Chance::new(seed);
        let rig = Rig::new();
        let mut kept: Vec<(u64, String)> = Vec::new();
        for _ in 0..3 {
            let mut next = kept.last().map_or(1, |(sequence, _)| sequence + 1);
            kept.extend(live(&rig, &mut chance, &mut next));
            if chance.once_in(4) {
                rig.disk.kill();
            } else {
                rig.disk.cut_power(&mut chance);
            }
            let found = rig.read().unwrap_or_else(|error| panic!("history {seed}: {error}"));
            let found = texts(found);
            let is_kept = found.starts_with(&kept);
            assert!(is_kept, "history {seed}: {} of {} found", found.len(), kept.len());
            let sequences: Vec<u64> = found.iter().map(|(sequence, _)| *sequence).collect();
            assert!(sequences.iter().zip(1..).all(|(a, b)| *a == b), "history {seed}");
            // What was not acknowledged and is there all the same is stored from now on.
            kept = found;
        }
    }
}
