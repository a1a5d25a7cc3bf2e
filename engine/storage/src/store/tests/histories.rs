//! Random histories of a lake whose disk fails and loses power and whose bucket fails: everything
//! acknowledged is there, everything that is sent again until it is acknowledged is there once.
//!
//! ```text
//!  disk (WAL, dedup) ── fails at random ──▶ power cut: what was not synced is lost, in any order
//!  bucket (segments, commits) ── puts are refused for a while, or their answers are lost
//! ```

use std::time::Duration;

use super::*;
use crate::disk::sim::{Chance, Faults, SimDisk};

/// Parts of paths of objects that a bucket may refuse to write.
const DENIED: [&str; 6] = [
    ".parquet",
    "metric_series/_delta_log",
    "metric_samples/_delta_log",
    "log_streams/_delta_log",
    "/logs/_delta_log",
    "_delta_log",
];

struct World {
    disk: SimDisk,
    dir: tempfile::TempDir,
    bucket: Arc<Faulty>,
    chance: Chance,
    /// Everything that was ever acknowledged, by the hash of its request.
    acknowledged: Vec<(u128, String)>,
    /// What was sent and not acknowledged.
    open: Vec<(u128, String)>,
    sent: u128,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            disk: SimDisk::default(),
            dir: tempfile::tempdir().unwrap(),
            bucket: Faulty::new(&[]),
            chance: Chance::new(seed),
            acknowledged: Vec::new(),
            open: Vec::new(),
            sent: 0,
        }
    }

    async fn start(&mut self) -> Arc<Store> {
        self.disk.set_faults(None);
        *self.bucket.denied.lock() = None;
        let options = StoreOptions {
            objects: Some(self.bucket.remote()),
            // Often so small that a replay must flush.
            memtable_bytes_max: [4_000, 1 << 20][self.chance.below(2) as usize],
            replayed_bytes_max: [10_000, 1 << 20][self.chance.below(2) as usize],
            buffered_bytes_max: 1 << 20,
            wal_segment_bytes: 4_096 << self.chance.below(5),
            flush_tenants_min: 2,
            // All wait, some do, nobody does.
            flush_tenant_bytes_min: [1 << 20, 3_000, 0][self.chance.below(3) as usize],
            ..StoreOptions::new(self.dir.path())
        };
        let disk = Arc::new(self.disk.clone());
        Store::open_on(disk, options, Arc::new(Lines)).await.unwrap()
    }

    /// Sends a request, new or one that may be known already.
    async fn send(&mut self, store: &Store) {
        let repeats = self.chance.once_in(4) && !self.acknowledged.is_empty();
        let (hash, text) = if repeats {
            let at = self.chance.below(self.acknowledged.len() as u64) as usize;
            self.acknowledged[at].clone()
        } else if self.chance.once_in(3) && !self.open.is_empty() {
            self.open.pop().unwrap()
        } else {
            self.sent += 1;
            let count = 1 + self.chance.below(6) as i64;
            (self.sent, some_lines(self.sent as i64 * 10, count))
        };
        let answer = append(store, hash, &text).await;
        if repeats {
            assert!(!matches!(answer, Ok(Appended::Stored)), "stored twice: {hash}");
            return;
        }
        match answer {
            Ok(_) => self.acknowledged.push((hash, text)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                self.open.push((hash, text));
            }
        }
    }

    /// Lives until something ends it.
    async fn live(&mut self, store: &Store) {
        for _ in 0..3 + self.chance.below(10) {
            match self.chance.below(12) {
                0..7 => self.send(store).await,
                7 => drop(flush::flush(store, self.chance.once_in(3)).await),
                8 => {
                    let denied = DENIED[self.chance.below(DENIED.len() as u64) as usize];
                    *self.bucket.denied.lock() = Some(denied).filter(|_| self.chance.once_in(2));
                }
                9 => self.bucket.lost_commits.store(1, Ordering::SeqCst),
                10 => {
                    let once_in = 2 + self.chance.below(12);
                    let faults = Faults { chance: self.chance.clone(), once_in };
                    self.disk.set_faults(Some(faults).filter(|_| self.chance.once_in(2)));
                }
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Ends the process, and often the power with it.
    async fn end(&mut self, store: Arc<Store>) {
        if self.chance.once_in(3) {
            self.disk.kill();
        } else {
            self.disk.cut_power(&mut self.chance);
        }
        self.bucket.lost_commits.store(0, Ordering::SeqCst);
        let last = Arc::downgrade(&store);
        drop(store);
        while last.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn check(&mut self, store: &Store, seed: u64) {
        // Clients go on until they are answered.
        for (hash, text) in std::mem::take(&mut self.open) {
            append(store, hash, &text).await.unwrap_or_else(|error| panic!("{seed}: {error}"));
            self.acknowledged.push((hash, text));
        }
        for tenant in TENANTS {
            let of_tenant = self.acknowledged.iter().filter(|(hash, _)| tenant_of(*hash) == tenant);
            let lines: Vec<String> = of_tenant.map(|(_, text)| text.clone()).collect();
            assert_holds(store, tenant, &lines).await;
        }
    }
}

const TENANTS: [&str; 3] = ["t", "u", "v"];

fn tenant_of(hash: u128) -> &'static str {
    TENANTS[(hash % 3) as usize]
}

async fn append(store: &Store, hash: u128, text: &str) -> Result<Appended, Error> {
    let tenant = tenant_of(hash);
    let frame = Frame {
        tenant: tenant.into(),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 1,
        payload: Bytes::copy_from_slice(text.as_bytes()),
        notes: Bytes::new(),
        identity: Some(Identity { hash, records: 1, rejected: 0 }),
    };
    let batches = Lines.decode(&frame, &store.series(tenant), &store.streams(tenant)).unwrap();
    store.append(Write { frame, batches }).await
}

#[tokio::test]
async fn what_is_acknowledged_is_there_once_after_any_history() {
    let histories = std::env::var("SIGLAKE_HISTORIES").map_or(40, |n| n.parse().unwrap());
    for seed in 0..histories {
        let mut world = World::new(seed);
        for _ in 0..4 {
            let store = world.start().await;
            world.check(&store, seed).await;
            world.live(&store).await;
            world.end(store).await;
        }
        let store = world.start().await;
        world.check(&store, seed).await;
        store.flush().await.unwrap();
        world.check(&store, seed).await;
    }
}
