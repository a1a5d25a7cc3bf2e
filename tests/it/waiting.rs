//! Rows of small tenants wait in the memtable and in the WAL, and survive `kill -9` there.
//!
//! ```text
//!  24 small tenants ─▶ memtable ─▶ carried from WAL file to WAL file ─ stop ─▶ segments
//!  a large one      ─▶ memtable ─▶ flushed again and again
//!                         ✂ kill -9 at any moment: before, while and after they are carried
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::Message;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Tenants that send little.
const SMALL: usize = 24;

/// The tenant that sends enough for a flush.
const LARGE: &str = "large";

/// Kills.
const ROUNDS: u64 = 6;

/// Records of a request.
const BATCH: u64 = 3;

/// Bytes of a record of the large tenant.
const LARGE_BYTES: usize = 32_768;

/// Numbers that a tenant has sent, and those of them that were acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    sent: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_survive_kill_9() {
    let mut program = Program::start(&[
        "multi_tenancy=true",
        "storage.flush_interval=100ms",
        "storage.flush_tenant_bytes_min=1MiB",
    ])
    .await;
    let base_ns = now_ns() - 3_600 * SECOND_NS;
    let next = Arc::new(AtomicU64::new(0));
    let names = (0..SMALL).map(|at| format!("small-{at:02}")).chain([LARGE.to_owned()]);
    let mut ledgers: BTreeMap<String, Ledger> =
        names.map(|tenant| (tenant, Ledger::default())).collect();
    let mut flushes = 0;
    for round in 0..ROUNDS {
        let mut writers = JoinSet::new();
        for tenant in ledgers.keys() {
            let (http, url) = (program.http.clone(), program.url("/v1/logs"));
            writers.spawn(write(tenant.clone(), http, url, Arc::clone(&next), base_ns));
        }
        // The moment need not be reproducible, only different each time.
        tokio::time::sleep(Duration::from_millis(1_000 + now_ns() / 1_000 % 700)).await;
        flushes += counter(&program, "siglake_flushes_total").await;
        program.kill();
        for (tenant, written) in writers.join_all().await {
            let ledger = ledgers.get_mut(&tenant).unwrap();
            ledger.sent.extend(written.sent);
            ledger.acknowledged.extend(written.acknowledged);
        }
        program.start_again().await;
        check(&program, &ledgers, &format!("kill {round}")).await;
    }
    assert!(flushes > 0, "nothing was flushed: nobody had to wait");
    let stored = tenants_with_segments(&program.data());
    assert_eq!(stored, BTreeSet::from([LARGE.to_owned()]), "only the large tenant was due");
    assert!(program.stop().await.success(), "{}", program.log());
    let stored = tenants_with_segments(&program.data());
    assert_eq!(stored, ledgers.keys().cloned().collect(), "who stops keeps nobody waiting");
    program.start_again().await;
    check(&program, &ledgers, "the stop").await;
}

/// Sends one request after the other until the program is gone.
async fn write(
    tenant: String,
    http: reqwest::Client,
    url: String,
    next: Arc<AtomicU64>,
    base_ns: u64,
) -> (String, Ledger) {
    let (pad, pause) = if tenant == LARGE { (LARGE_BYTES, 20) } else { (0, 150) };
    let mut ledger = Ledger::default();
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let numbers = first..first + BATCH;
        ledger.sent.extend(numbers.clone());
        let record = |number| {
            let body = format!("{number} {}", "x".repeat(pad));
            telemetry::log(base_ns + number * 1_000_000, &body)
        };
        let body = telemetry::logs("waits", numbers.clone().map(record).collect()).encode_to_vec();
        let request = http.post(&url).header("content-type", "application/x-protobuf").body(body);
        match request.header("x-scope-orgid", &tenant).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => ledger.acknowledged.extend(numbers),
            Ok(answer) => panic!("{tenant}: {}", answer.status()),
            Err(_) => return (tenant, ledger),
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Whether each tenant finds what is its own, once.
async fn check(program: &Program, ledgers: &BTreeMap<String, Ledger>, after: &str) {
    for (tenant, ledger) in ledgers {
        let mut found: BTreeMap<u64, u64> = BTreeMap::new();
        for row in numbers(program, tenant).await {
            let number = row["number"].as_str().unwrap().parse().unwrap();
            *found.entry(number).or_default() += 1;
        }
        let lost: Vec<_> =
            ledger.acknowledged.iter().filter(|number| !found.contains_key(number)).collect();
        let wrong: Vec<_> = found
            .iter()
            .filter(|(number, count)| **count != 1 || !ledger.sent.contains(number))
            .collect();
        assert!(ledger.acknowledged.len() > 3, "{tenant}: too little to mean anything");
        assert!(
            lost.is_empty() && wrong.is_empty(),
            "after {after}, {tenant}: lost {lost:?}, doubled or made up {wrong:?} of {} acknowledged",
            ledger.acknowledged.len()
        );
    }
}

async fn numbers(program: &Program, tenant: &str) -> Vec<Value> {
    let params =
        [("query", "SELECT split_part(body, ' ', 1) AS number FROM logs"), ("format", "json")];
    let request = program.http.get(program.url("/sql")).query(&params);
    let answer = request.header("x-scope-orgid", tenant).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{tenant}");
    answer.json().await.unwrap()
}

async fn counter(program: &Program, name: &str) -> u64 {
    let answer = program.http.get(program.url("/metrics")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

/// The tenants that have an object in the lake.
fn tenants_with_segments(folder: &Path) -> BTreeSet<String> {
    let mut tenants = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tenants.extend(tenants_with_segments(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            let parts = path.iter().filter_map(|part| part.to_str()?.strip_prefix("tenant="));
            tenants.extend(parts.map(str::to_owned));
        }
    }
    tenants
}
