//! Tests of blocks on the local disk.

use super::*;

const BLOCK: u64 = 100;

fn open(folder: &Path, lake: &str, bytes_max: u64) -> (Disk, Arc<Meter>) {
    let meter: Arc<Meter> = Arc::default();
    let disk = Disk::open(folder, lake, (bytes_max, 0), BLOCK, Arc::clone(&meter)).unwrap();
    (disk, meter)
}

fn key(block: u32) -> Key {
    Key { path: Arc::from("t/a.parquet"), block }
}

fn body(block: u32) -> Bytes {
    (0..100).map(|at| (at + block) as u8).collect()
}

/// Writing and scanning happen in the background.
fn eventually(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir());
    folders
        .flat_map(|entry| fs::read_dir(entry.path()).unwrap().flatten())
        .map(|f| f.path())
        .collect()
}

#[test]
fn blocks_survive_a_restart_but_not_another_lake() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = open(folder.path(), "one", 1000);
    for block in 0..5 {
        disk.offer(key(block), body(block));
    }
    eventually(|| disk.bytes() == 500);
    drop(disk);
    fs::write(folder.path().join("00/stranger"), "x").unwrap_or_default();

    let (disk, _) = open(folder.path(), "one", 1000);
    eventually(|| disk.bytes() == 500);
    for block in 0..5 {
        assert_eq!(disk.read(&key(block)).unwrap(), body(block));
    }
    disk.forget(&HashSet::from(["t/a.parquet".to_owned()]));
    assert_eq!((disk.bytes(), files(folder.path()).len()), (0, 0));
    disk.offer(key(7), body(7));
    eventually(|| disk.contains(&key(7)));
    drop(disk);

    let (disk, _) = open(folder.path(), "two", 1000);
    disk.offer(key(8), body(8));
    // The scan comes first, so what it would have found is known by now.
    eventually(|| disk.contains(&key(8)));
    assert!(disk.read(&key(7)).is_none());
}

#[test]
fn no_more_bytes_are_kept_than_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, meter) = open(folder.path(), "lake", 1000);
    for block in 0..50 {
        disk.offer(key(block), body(block));
        eventually(|| disk.contains(&key(block)));
        assert!(disk.bytes() <= 1000);
    }
    assert_eq!(files(folder.path()).len(), 10);
    assert_eq!(meter.read(0, 0).disk_evictions, 40);
}

#[test]
fn a_disk_without_room_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let meter: Arc<Meter> = Arc::default();
    let limits = (1000, u64::MAX / 2);
    let disk = Disk::open(folder.path(), "lake", limits, BLOCK, Arc::clone(&meter)).unwrap();
    disk.offer(key(0), body(0));
    eventually(|| meter.read(0, 0).skipped > 0);
    assert!(disk.read(&key(0)).is_none());
}

#[test]
fn every_damaged_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, meter) = open(folder.path(), "lake", 1000);
    disk.offer(key(0), body(0));
    eventually(|| disk.bytes() == 100);
    let file = files(folder.path()).remove(0);
    let right = fs::read(&file).unwrap();
    let stored = *disk.shared.index.lock().blocks.get(&key(0)).unwrap();
    for at in 0..right.len() {
        // The size of a block is only looked at when the folder is scanned.
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        fs::write(&file, &wrong).unwrap();
        assert!(disk.read(&key(0)).is_none(), "byte {at}");
        assert!(!file.exists(), "byte {at}");
        disk.shared.index.lock().blocks.insert(key(0), stored, 100);
    }
    for length in 0..right.len() {
        fs::write(&file, &right[..length]).unwrap();
        assert!(disk.read(&key(0)).is_none(), "{length} bytes");
        disk.shared.index.lock().blocks.insert(key(0), stored, 100);
    }
    assert_eq!(meter.read(0, 0).damaged as usize, 2 * right.len());
}

#[test]
fn torn_files_are_swept_by_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = open(folder.path(), "lake", 1000);
    for block in 0..3 {
        disk.offer(key(block), body(block));
    }
    eventually(|| disk.bytes() == 300);
    drop(disk);
    let torn = files(folder.path()).remove(0);
    let text = fs::read(&torn).unwrap();
    fs::write(&torn, &text[..text.len() - 1]).unwrap();
    let (disk, _) = open(folder.path(), "lake", 1000);
    eventually(|| disk.bytes() == 200 && !torn.exists());
}

#[test]
fn what_is_forgotten_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let (disk, _) = open(folder.path(), "lake", 10_000);
        // The first blocks are found by the scan, the others are on their way to the disk.
        for block in 0..10 {
            disk.offer(key(10 * round + block), body(block));
        }
        disk.forget(&HashSet::from(["t/a.parquet".to_owned()]));
        // The thread takes one after another, so all before this one are done.
        let other = Key { path: Arc::from("t/b.parquet"), block: round };
        eventually(|| {
            disk.offer(other.clone(), body(0));
            disk.contains(&other)
        });
        assert_eq!(disk.bytes(), 100 * u64::from(round + 1), "round {round}");
        assert_eq!(files(folder.path()).len() as u32, round + 1);
        eventually(|| disk.shared.index.lock().waiting.is_empty());
        // Left for the scan of the next round.
        disk.offer(key(1_000 + round), body(1));
        eventually(|| disk.contains(&key(1_000 + round)));
    }
}
