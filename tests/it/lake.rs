//! The lake as others read it: deltalake, polars and duckdb on the tables themselves, while the
//! program writes and merges them, and from a checkpoint.
//!
//! Where Python packages cannot be installed these tests say so and pass, as those of `clients`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::clients::{python, run};
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};
use crate::tidy::root;

/// Rows of each signal in a request.
const ROWS: u64 = 40;

/// How long tables are followed while they change.
const FOLLOWED_SECONDS: &str = "6";

/// Small memtables, checkpoints after few commits, and merges as soon as there is anything.
const SETTINGS: &[&str] = &[
    "storage.memtable_bytes=1",
    "storage.checkpoint_commits=5",
    "storage.compaction.interval=200ms",
    "storage.compaction.settle=0s",
    "storage.compaction.hour_grace=0s",
    "storage.compaction.hour_segments=1",
];

/// A request of each signal, number `at`, some hours ago: no two rows are alike.
async fn send(program: &Program, at: u64, start_ns: u64) {
    let time = |row: u64| start_ns + (at * ROWS + row) * SECOND_NS / 10;
    let records = (0..ROWS).map(|row| telemetry::log(time(row), &format!("{at}-{row}"))).collect();
    program.send("logs", &telemetry::logs("lake", records)).await;
    let value = |row: u64| {
        f64::from(u32::try_from(row).unwrap()) / if at.is_multiple_of(2) { 8.0 } else { 3.0 }
    };
    let points = (0..ROWS).map(|row| telemetry::point(time(row), value(row), Vec::new())).collect();
    let metrics = vec![telemetry::gauge("depth", points)];
    program.send("metrics", &telemetry::metrics("lake", metrics)).await;
    let spans = (0..ROWS)
        .map(|row| telemetry::span(u128::from(at + 1), at * ROWS + row + 1, 0, "s", time(row)))
        .collect();
    program.send("traces", &telemetry::spans("lake", spans)).await;
}

/// What the script prints, line by line.
async fn ask(python: &Path, arguments: &[&str]) -> Vec<Value> {
    let script = root().join("tests/clients/lake.py");
    let script = script.to_str().unwrap().to_owned();
    let python = python.to_owned();
    let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
    let asking = tokio::task::spawn_blocking(move || {
        let mut all = vec![script.as_str()];
        all.extend(arguments.iter().map(String::as_str));
        run(&python, &all)
    });
    let printed = asking.await.unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_engines_read_the_tables_while_they_change() {
    let Some(python) = python() else { return };
    let mut program = Program::start(SETTINGS).await;
    let lake = program.data().join("lake");
    let start_ns = now_ns() - 5 * 3600 * SECOND_NS;
    send(&program, 0, start_ns).await;
    while !lake.join("spans/_delta_log").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let folder = lake.to_str().unwrap();
    let python = python.as_path();
    let follow = |table, key| async move {
        ask(python, &["follow", folder, table, key, FOLLOWED_SECONDS]).await
    };
    // As long as they are read: on a busy machine it takes seconds until the readers have started.
    let is_followed = AtomicBool::new(true);
    let writing = async {
        let mut at = 1;
        while is_followed.load(Ordering::Relaxed) {
            send(&program, at, start_ns).await;
            at += 1;
        }
        at
    };
    let following = async {
        let both = tokio::join!(follow("logs", "body"), follow("spans", "span_id"));
        is_followed.store(false, Ordering::Relaxed);
        both
    };
    let (requests, (logs, spans)) = tokio::join!(writing, following);
    for followed in [&logs[0], &spans[0]] {
        assert_eq!(followed["wrong"], serde_json::json!([]), "{followed}");
        assert!(followed["versions"].as_u64().unwrap() > 1, "the table changed: {followed}");
    }
    assert!(program.stop().await.success(), "{}", program.log());

    // Only what no checkpoint holds is left of the commits.
    for table in ["logs", "metric_samples", "spans"] {
        leave_the_checkpoint(&lake.join(table).join("_delta_log"));
    }
    program.start_again().await;
    let ours = ours(&program).await;
    assert_eq!(ours.len(), 3);
    for (table, rows, ..) in &ours {
        assert_eq!(*rows, requests * ROWS, "{table}");
    }
    program.kill();
    let theirs = ask(python, &["sums", folder]).await;
    check(&ours, &theirs);
}

/// Rows, sum of times and sum of values of the large tables, as the program says.
async fn ours(program: &Program) -> Vec<(&'static str, u64, i64, Option<f64>)> {
    let mut ours = Vec::new();
    for (table, time) in [
        ("logs", "time_unix_nano"),
        ("spans", "start_time_unix_nano"),
        ("metric_samples", "time_ms"),
    ] {
        let sums = format!("SELECT count(*) AS n, sum({time} % 1000003) AS t FROM lake.{table}");
        let row = program.sql(&sums).await.remove(0);
        let values = if table == "metric_samples" {
            let row = program.sql("SELECT sum(value) AS v FROM metrics").await.remove(0);
            row["v"].as_f64()
        } else {
            None
        };
        ours.push((table, row["n"].as_u64().unwrap(), row["t"].as_i64().unwrap(), values));
    }
    ours
}

fn check(ours: &[(&str, u64, i64, Option<f64>)], theirs: &[Value]) {
    for missing in theirs.iter().filter(|line| line.get("missing").is_some()) {
        eprintln!("{} has no Delta extension here: {}", missing["engine"], missing["missing"]);
    }
    for (table, rows, times, values) in ours {
        let of_table: Vec<_> = theirs.iter().filter(|line| line["table"] == *table).collect();
        assert_eq!(of_table.len(), 3, "three engines: {theirs:?}");
        for line in of_table {
            assert_eq!(
                (&line["rows"], &line["times"]),
                (&(*rows).into(), &(*times).into()),
                "{line}"
            );
            if let Some(values) = values {
                let found = line["values"].as_f64().unwrap();
                assert!((found - values).abs() <= values.abs() * 1e-9, "{line}, ours {values}");
            }
            if let Some(tenants) = line.get("tenants") {
                assert_eq!(tenants.as_array().unwrap().len(), 1, "{line}");
            }
        }
    }
}

/// Removes the commits that lie behind the newest checkpoint, as the program does after a day.
fn leave_the_checkpoint(log: &Path) {
    let hint = std::fs::read_to_string(log.join("_last_checkpoint")).unwrap();
    let hint: Value = serde_json::from_str(&hint).unwrap();
    let version = hint["version"].as_u64().unwrap();
    assert!(version > 4, "{hint}");
    for number in 0..version {
        std::fs::remove_file(log.join(format!("{number:020}.json"))).unwrap();
    }
}
