//! A history of a lake in a bucket that fails once, or for a while, at each of its requests.
//!
//! ```text
//!  open ─ write ─ flush ─ write ─ flush ─ merge ─ read ─ kill ─ open ─ read
//!    1      …       request n fails:  refused, stalled, late, done but not answered
//! ```
//!
//! Afterwards everything that was acknowledged is there once, and nobody had to help. A sample
//! of all requests is tried; `SIGLAKE_FAULTS=all` tries each.

use std::time::Duration;

use super::*;
use crate::objects::fixtures::Fault;
use crate::{CatalogOptions, CompactionOptions};

/// Times a step may fail before the store has recovered.
const TRIES_MAX: usize = 8;

/// Histories of one kind of fault, unless all are wanted.
const SAMPLES: usize = 12;

fn patient_options(lake: &Lake) -> StoreOptions {
    let compaction = CompactionOptions {
        enabled: false,
        hour_segments_max: 1,
        day_segments_max: 1,
        settle: Duration::ZERO,
        ..CompactionOptions::default()
    };
    StoreOptions {
        objects: Some(lake.bucket.remote()),
        compaction,
        catalog: CatalogOptions { refresh_interval: Duration::ZERO, ..CatalogOptions::default() },
        flush_interval: Duration::from_secs(3600),
        ..options(lake.dir.path())
    }
}

/// Does a step until it succeeds; every failure names what was asked of whom.
async fn patiently<T, F>(what: &str, mut step: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 0..TRIES_MAX {
        match step().await {
            Ok(done) => return done,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");
                assert!(error.to_string().contains("s3://test/"), "{what}: {error}");
            }
        }
    }
    panic!("{what} has not recovered");
}

async fn open_patiently(lake: &Lake) -> Arc<Store> {
    patiently("open", || Store::open(patient_options(lake), Arc::new(Lines))).await
}

/// Drops a store as a crash would, once its last work has ended.
async fn crash(store: Arc<Store>) {
    let last = Arc::downgrade(&store);
    drop(store);
    while last.strong_count() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs the history with faults; the requests that it took.
async fn history(script: &[Fault]) -> usize {
    let lake = Lake::new();
    lake.bucket.script.lock().extend(script);
    let store = open_patiently(&lake).await;
    let mut lines = Vec::new();
    for at in 0..2 {
        lines.push(some_lines(at * 30, 30));
        write(&store, "t", &lines[at as usize]).await.unwrap();
        patiently("flush", || store.flush()).await;
    }
    patiently("compact", || store.compact_once()).await;
    // What fails for a while has recovered by now; what fails once is asked again by itself.
    let once = script.iter().filter(|fault| !matches!(fault, Fault::Pass)).count() == 1;
    if !once {
        lake.bucket.script.lock().clear();
    }
    assert_holds(&store, "t", &lines).await;
    for table in [Table::MetricSamples, Table::Logs] {
        assert_eq!(store.snapshot("t").table(table).segments.len(), 1, "{}", table.name());
    }
    crash(store).await;
    let store = open_patiently(&lake).await;
    assert_holds(&store, "t", &lines).await;
    crash(store).await;
    lake.bucket.calls.load(Ordering::SeqCst)
}

/// Tries faults at every request of the history, or at a sample of them.
async fn try_everywhere(fault: Fault, length: usize) {
    let calls = history(&[]).await;
    assert!(calls > 40, "{calls} requests: the history has become too short");
    let all = std::env::var("SIGLAKE_FAULTS").is_ok_and(|value| value == "all");
    let step = if all { 1 } else { calls.div_ceil(SAMPLES) };
    // Not the same ones in each run.
    let first = crate::clock::now_ms() as usize % step;
    for at in (first..calls).step_by(step) {
        let mut script = vec![Fault::Pass; at];
        script.extend(vec![fault; length]);
        tracing::info!(?fault, length, at, calls, "a history with faults");
        history(&script).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_be_refused() {
    try_everywhere(Fault::Refuse(503), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_never_be_answered() {
    try_everywhere(Fault::Stall, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_be_done_late() {
    try_everywhere(Fault::Late, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_lost() {
    try_everywhere(Fault::LoseAnswer, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_may_be_away_for_a_while() {
    try_everywhere(Fault::Refuse(500), 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_may_be_lost_for_a_while() {
    try_everywhere(Fault::LoseAnswer, 7).await;
}
