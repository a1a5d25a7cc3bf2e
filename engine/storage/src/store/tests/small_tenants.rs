//! A thousand tenants with little data: few segments, little memory, and nothing lost.

use super::*;
use crate::flush::{self, due};

const TENANTS: i64 = 1_000;
const MINUTE_MS: u64 = 60_000;

fn tenant(at: i64) -> String {
    format!("tenant-{at:04}")
}

/// What a tenant sends in one round: a sample of each of four series.
fn sent(round: i64) -> String {
    let lines: Vec<String> =
        (0..4).map(|series| format!("m {series} {}", round * 600_000)).collect();
    lines.join("\n")
}

async fn send_all(store: &Store, round: i64) {
    let text = sent(round);
    let senders = (0..8).map(|part| {
        let text = &text;
        async move {
            for at in (part..TENANTS).step_by(8) {
                write(store, &tenant(at), text).await.unwrap();
            }
        }
    });
    futures::future::join_all(senders).await;
}

fn wal_bytes(dir: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(dir.join("wal")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// Most segments that a tenant has of a table.
fn segments_max(store: &Store, table: Table) -> usize {
    store.live(table).iter().map(|(_, live)| live.len()).max().unwrap_or(0)
}

async fn assert_all_there(store: &Store, rounds: i64) {
    let texts: Vec<String> = (0..rounds).map(sent).collect();
    for at in (0..TENANTS).step_by(97) {
        assert_holds(store, &tenant(at), &texts).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_small_tenants_stay_cheap() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = Faulty::new(&[]);
    let options = || StoreOptions {
        objects: Some(bucket.remote()),
        durability: crate::Durability::None,
        compaction: crate::CompactionOptions { interval: Duration::ZERO, ..Default::default() },
        memtable_bytes_max: 64 << 20,
        wal_segment_bytes: 4 << 20,
        ..StoreOptions::new(dir.path())
    };
    let mut store = open(options()).await;
    // An hour and ten minutes, a round each ten minutes.
    let rounds = 7;
    let mut memory_max = 0;
    for round in 0..rounds {
        send_all(&store, round).await;
        store.shared.ahead_ms.fetch_add(10 * MINUTE_MS, Ordering::Relaxed);
        if let Some(what) = due(&store) {
            flush::flush(&store, what == flush::Due::All).await.unwrap();
        }
        memory_max = memory_max.max(store.stats().memtable_bytes);
        if round == 4 {
            // The process is killed, and its clock begins anew.
            let last = Arc::downgrade(&store);
            drop(store);
            while last.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            store = open(options()).await;
            assert_all_there(&store, round + 1).await;
        }
    }
    // Two of each table an hour: the oldest row waits for half an hour.
    let segments = segments_max(&store, Table::MetricSamples);
    assert!((1..=2).contains(&segments), "{segments} segments");
    assert_eq!(store.live(Table::MetricSamples).len(), TENANTS as usize);
    assert!(memory_max < 32 << 20, "{memory_max} bytes of memtables");
    let wal = wal_bytes(dir.path());
    assert!(wal < 32 << 20, "{wal} bytes of WAL");
    assert_all_there(&store, rounds).await;
}

#[tokio::test]
async fn one_large_tenant_does_not_flush_the_small_ones() {
    let dir = tempfile::tempdir().unwrap();
    let options = || StoreOptions {
        flush_tenants_min: 3,
        flush_tenant_bytes_min: 20_000,
        memtable_bytes_max: 1 << 20,
        wal_segment_bytes: 4_096,
        ..StoreOptions::new(dir.path())
    };
    let store = open(options()).await;
    let mut lines: [Vec<String>; 3] = Default::default();
    for round in 0..40 {
        let text = some_lines(round * 1_000, 1 + round % 2);
        write(&store, "small", &text).await.unwrap();
        lines[0].push(text.clone());
        if round == 0 {
            write(&store, "other", &text).await.unwrap();
            lines[1].push(text);
        }
        let text = some_lines(round * 1_000, 300);
        write(&store, "large", &text).await.unwrap();
        lines[2].push(text);
        flush::flush(&store, false).await.unwrap();
    }
    let count = |tenant: &str| store.snapshot(tenant).table(Table::Logs).segments.len();
    assert_eq!(count("other"), 0);
    assert!(count("small") <= 8, "{}", count("small"));
    assert!(count("large") >= 40);
    // The WAL begins with what waits: nothing of the large tenant holds it.
    assert!(wal_bytes(dir.path()) < 1 << 18, "{}", wal_bytes(dir.path()));
    drop(store);
    let store = open(options()).await;
    for (tenant, lines) in ["small", "other", "large"].into_iter().zip(&lines) {
        assert_holds(&store, tenant, lines).await;
    }
    store.flush().await.unwrap();
    let none = store.snapshot("other").table(Table::Logs);
    assert_eq!((none.segments.len(), none.batches.len()), (1, 0));
}

#[tokio::test]
async fn a_wal_that_grows_while_everybody_waits_is_carried_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = || StoreOptions {
        flush_tenants_min: 2,
        memtable_bytes_max: 100_000,
        ..StoreOptions::new(dir.path())
    };
    let store = open(options()).await;
    write(&store, "a", &some_lines(0, 2)).await.unwrap();
    write(&store, "b", &some_lines(0, 2)).await.unwrap();
    store.shared.ahead_ms.fetch_add(6 * MINUTE_MS, Ordering::Relaxed);
    assert_eq!(due(&store), None);
    store.shared.counters.wal_bytes.fetch_add(100_000, Ordering::Relaxed);
    assert_eq!(due(&store), Some(flush::Due::Some));
    flush::flush(&store, false).await.unwrap();
    assert!(store.live(Table::Logs).is_empty());
    assert_eq!(due(&store), None);
    drop(store);
    // No table has a commit, and the requests are gone: what waits stands for them.
    let store = open(options()).await;
    for tenant in ["a", "b"] {
        assert_holds(&store, tenant, &[some_lines(0, 2)]).await;
    }
    store.shared.ahead_ms.fetch_add(31 * MINUTE_MS, Ordering::Relaxed);
    assert_eq!(due(&store), Some(flush::Due::Some));
    flush::flush(&store, false).await.unwrap();
    assert_eq!(store.live(Table::Logs).len(), 2);
}

#[tokio::test]
async fn idle_tenants_cost_no_memory_until_they_are_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(options(dir.path())).await;
    let hour = || store.shared.ahead_ms.fetch_add(61 * MINUTE_MS, Ordering::Relaxed);
    let text = some_lines(0, 5);
    for tenant in ["a", "b", "c"] {
        write(&store, tenant, &text).await.unwrap();
    }
    // Rows that are only in memory keep their labels there.
    assert_eq!(store.drop_idle_indexes(), 0);
    hour();
    assert_eq!(store.drop_idle_indexes(), 0);
    store.flush().await.unwrap();
    let in_use = store.snapshot("c");
    assert_eq!(store.drop_idle_indexes(), 2);
    drop(in_use);
    assert_eq!(store.stats().series, 5);
    hour();
    store.ready("c").await.unwrap();
    assert_eq!(store.drop_idle_indexes(), 0);
    assert!(store.series("a").is_empty());
    store.ready("a").await.unwrap();
    assert_holds(&store, "a", std::slice::from_ref(&text)).await;
    // Who writes is loaded first, so that labels are not stored again.
    let frame = Frame {
        tenant: "b".into(),
        signal: Signal::Metrics,
        encoding: 0,
        received_ns: 1,
        payload: Bytes::copy_from_slice(some_lines(5, 5).as_bytes()),
        notes: Bytes::new(),
        identity: None,
    };
    let batches = Lines.decode(&frame, &store.series("b"), &store.streams("b")).unwrap();
    store.append(Write { frame, batches }).await.unwrap();
    assert_holds(&store, "b", &[text.clone(), some_lines(5, 5)]).await;
    assert_eq!(store.stats().series, 15);
    store.flush().await.unwrap();
    assert_holds(&store, "b", &[text, some_lines(5, 5)]).await;
}
