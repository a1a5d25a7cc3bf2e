//! Tests of the cache against a bucket that counts and fails.

use super::super::Objects;
use super::super::fixtures::{Fault, Faulty};
use super::*;

const BLOCK: u64 = 100;

const PATH: &str = "t/a.parquet";

fn body(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

struct Lake {
    folder: tempfile::TempDir,
    bucket: Arc<Faulty>,
    budget: Arc<Budget>,
    objects: Objects,
}

impl Lake {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bucket, budget) = (Faulty::new(&[]), Budget::of_machine());
        let objects = open(&bucket, folder.path(), &budget).await;
        Self { folder, bucket, budget, objects }
    }

    /// The same lake as a new process finds it.
    async fn again(&self) -> Objects {
        open(&self.bucket, self.folder.path(), &self.budget).await
    }

    /// An object that the cache has not seen being written.
    async fn put(&self, path: &str, bytes: &Bytes) {
        let bare = Objects::remote(self.bucket.remote());
        bare.write(path, bytes.clone()).await.unwrap();
        self.bucket.gets.lock().clear();
    }

    /// Start and end of what was asked of the bucket since the last call.
    fn gets(&self) -> Vec<(u64, u64)> {
        let gets = std::mem::take(&mut *self.bucket.gets.lock());
        gets.into_iter().map(|range| (range.start, range.end)).collect()
    }
}

async fn open(bucket: &Arc<Faulty>, folder: &Path, budget: &Arc<Budget>) -> Objects {
    let options = CacheOptions {
        block_bytes: BLOCK,
        disk_bytes_max: 1 << 20,
        disk_free_bytes_min: 0,
        write_through: true,
    };
    let objects = Objects::remote(bucket.remote());
    objects.with_cache(&options, folder, budget).await.unwrap()
}

async fn read(objects: &Objects, path: &str, range: Range<u64>) -> Bytes {
    try_read(objects, path, range).await.unwrap()
}

async fn try_read(objects: &Objects, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
    objects.read_cached(path, std::slice::from_ref(&range)).await.map(|mut read| read.remove(0))
}

async fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..5000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("it does not come true");
}

#[tokio::test]
async fn every_range_is_read_right_and_only_once() {
    let lake = Lake::new().await;
    for length in [1, 99, 100, 101, 250, 1000] {
        let (path, body) = (format!("t/{length}.parquet"), body(length));
        lake.put(&path, &body).await;
        let length = length as u64;
        for start in (0..length).step_by(7) {
            for end in (start + 1..=length).step_by(13) {
                let expected = body.slice(start as usize..end as usize);
                assert_eq!(read(&lake.objects, &path, start..end).await, expected);
            }
        }
        let asked: u64 = lake.gets().iter().map(|(start, end)| end - start).sum();
        assert!(asked <= length.div_ceil(BLOCK) * BLOCK, "{length}: {asked} bytes");
    }
}

#[tokio::test]
async fn neighbours_come_in_one_request() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(1000)).await;
    read(&lake.objects, PATH, 950..1000).await;
    assert_eq!(lake.gets(), [(900, 1000)]);
    let ranges = [20..30, 110..120, 250..260, 610..620, 890..960];
    let read = lake.objects.read_cached(PATH, &ranges).await.unwrap();
    for (range, bytes) in ranges.iter().zip(read) {
        assert_eq!(bytes, body(1000).slice(range.start as usize..range.end as usize));
    }
    let mut gets = lake.gets();
    gets.sort_unstable();
    assert_eq!(gets, [(0, 300), (600, 700), (800, 900)]);
}

#[tokio::test]
async fn many_readers_fetch_a_block_once() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(1000)).await;
    let reads = (0..50).map(|_| read(&lake.objects, PATH, 0..1000));
    futures::future::join_all(reads).await;
    assert_eq!(lake.gets(), [(0, 1000)]);
    let stats = lake.objects.cache_stats();
    assert_eq!((stats.misses, stats.shared + stats.memory_hits), (10, 490));
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_disturb_others() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(100)).await;
    lake.bucket.script.lock().push_back(Fault::Stall);
    let first = read(&lake.objects, PATH, 0..10);
    tokio::select! {
        _ = first => panic!("it stalls"),
        () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
    }
    assert_eq!(read(&lake.objects, PATH, 10..20).await, body(100).slice(10..20));
}

#[tokio::test]
async fn an_error_reaches_all_and_is_not_kept() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(100)).await;
    lake.bucket.script.lock().extend([Fault::Refuse(503); 3]);
    let one = try_read(&lake.objects, PATH, 0..10);
    let (one, two) = tokio::join!(one, try_read(&lake.objects, PATH, 0..10));
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(error.to_string().contains(PATH), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(read(&lake.objects, PATH, 0..10).await, body(100).slice(0..10));
}

#[tokio::test]
async fn blocks_on_disk_outlive_the_process_and_damage() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(1000)).await;
    read(&lake.objects, PATH, 0..1000).await;
    eventually(|| lake.objects.cache_stats().disk_bytes == 1000).await;
    lake.gets();

    let objects = lake.again().await;
    eventually(|| objects.cache_stats().disk_bytes == 1000).await;
    lake.gets();
    assert_eq!(read(&objects, PATH, 0..1000).await, body(1000));
    assert_eq!(lake.gets(), []);
    assert_eq!(objects.cache_stats().disk_hits, 10);

    let objects = lake.again().await;
    eventually(|| objects.cache_stats().disk_bytes == 1000).await;
    lake.gets();
    for folder in std::fs::read_dir(lake.folder.path()).unwrap().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let mut bytes = std::fs::read(file.path()).unwrap();
            *bytes.last_mut().unwrap() ^= 0x80;
            std::fs::write(file.path(), bytes).unwrap();
        }
    }
    assert_eq!(read(&objects, PATH, 0..1000).await, body(1000));
    assert_eq!(lake.gets(), [(0, 1000)]);
    assert_eq!(objects.cache_stats().damaged, 10);
}

#[tokio::test]
async fn what_is_written_is_cached_and_what_is_deleted_is_not() {
    let lake = Lake::new().await;
    // One put, and in parts.
    for length in [700, 4321] {
        let path = format!("t/{length}.parquet");
        lake.objects.write(&path, body(length)).await.unwrap();
        lake.gets();
        assert_eq!(read(&lake.objects, &path, 0..length as u64).await, body(length));
        assert_eq!(lake.gets(), []);
        lake.objects.delete(&path).await.unwrap();
        try_read(&lake.objects, &path, 0..1).await.unwrap_err();
    }
    let log = "t/_delta_log/00000000000000000010.checkpoint.parquet";
    lake.objects.write(log, body(100)).await.unwrap();
    lake.gets();
    read(&lake.objects, log, 0..10).await;
    read(&lake.objects, log, 0..10).await;
    assert_eq!(lake.gets().len(), 2);
}

#[tokio::test]
async fn memory_is_given_back_when_others_need_it() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(1000)).await;
    read(&lake.objects, PATH, 0..1000).await;
    assert_eq!(lake.budget.used(Use::Cache), 1000);
    let cache = lake.objects.cache.clone().unwrap();
    cache.reclaim(450);
    assert_eq!(lake.budget.used(Use::Cache), 500);
    assert_eq!(read(&lake.objects, PATH, 0..1000).await, body(1000));
    cache.forget(&HashSet::from([PATH.to_owned()]));
    assert_eq!(lake.budget.used(Use::Cache), 0);
}

#[tokio::test]
async fn an_object_that_ends_before_a_range_is_damaged() {
    let lake = Lake::new().await;
    lake.put(PATH, &body(150)).await;
    let error = try_read(&lake.objects, PATH, 100..170).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
}
