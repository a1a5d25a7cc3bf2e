//! The lake in a bucket: every language answers from it, requests are few and counted, and
//! whatever the store does to a request, nothing is lost, doubled, or in need of help.
//!
//! Most of it runs on the S3 server of `src/s3`, which counts and fails on demand. What a server
//! that others wrote says is asked of moto (`pip install 'moto[server]'`, pinned in
//! `clients/requirements.txt`, started as `moto_server -H 127.0.0.1 -p PORT`); where pip reaches
//! no index, that test says so and passes.
//!
//! `SIGLAKE_FAULTS=all` tries every fault at every request of the history; otherwise a sample.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clients;
use crate::program::{Program, free_port};
use crate::s3::Server;
use crate::s3::faults::Fault;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// How long rows may take to come into segments.
const FLUSH_MAX: Duration = Duration::from_secs(60);

/// Histories that run at once.
const AT_ONCE: usize = 3;

/// Histories of each fault, unless all are wanted.
const SAMPLES: u64 = 3;

/// Short waits, frequent flushes, and no requests but those of the history.
const SETTINGS: [&str; 9] = [
    "storage.flush_interval=1s",
    "storage.refresh_interval=0s",
    "storage.s3.request_timeout=400ms",
    "storage.s3.retry_backoff=20ms",
    "storage.s3.attempts_max=4",
    "storage.compaction.interval=1s",
    "storage.compaction.settle=0s",
    "storage.compaction.hour_grace=0s",
    "storage.compaction.hour_segments=1",
];

/// Sends records, samples and spans of these numbers, a millisecond apart.
async fn send(program: &Program, base_ns: u64, numbers: Range<u64>) {
    let time = |number: u64| base_ns + number * 1_000_000;
    let record = |number: u64| telemetry::log(time(number), &number.to_string());
    program.send("logs", &telemetry::logs("shop", numbers.clone().map(record).collect())).await;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let point = |number| telemetry::point(time(number), number as f64, Vec::new());
    let gauge = telemetry::gauge("numbers", numbers.clone().map(point).collect());
    program.send("metrics", &telemetry::metrics("shop", vec![gauge])).await;
    // An id of nothing but zeros is invalid.
    let span =
        |number: u64| telemetry::span(u128::from(number) + 1, number + 1, 0, "buy", time(number));
    program.send("traces", &telemetry::spans("shop", numbers.map(span).collect())).await;
}

/// Waits until nothing is in memory alone.
async fn wait_for_flush(program: &Program) {
    let began = Instant::now();
    loop {
        let metrics = program.http.get(program.url("/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        if metrics.lines().any(|line| line == "siglake_memtable_bytes 0") {
            return;
        }
        assert!(began.elapsed() < FLUSH_MAX, "nothing is flushed\n{}", program.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Everything below `count` is there once, in every language.
async fn check(program: &Program, base_ns: u64, count: u64) {
    for (name, statement) in [
        ("logs", "SELECT body AS number, count(*) AS n FROM logs GROUP BY 1"),
        (
            "metrics",
            "SELECT CAST(CAST(value AS BIGINT) AS VARCHAR) AS number, count(*) AS n FROM metrics \
             WHERE metric_name = 'numbers' GROUP BY 1",
        ),
    ] {
        let rows = program.sql(statement).await;
        let found: BTreeMap<u64, u64> = rows
            .iter()
            .map(|row| {
                (row["number"].as_str().unwrap().parse().unwrap(), row["n"].as_u64().unwrap())
            })
            .collect();
        let expected: BTreeMap<u64, u64> = (0..count).map(|number| (number, 1)).collect();
        assert_eq!(found, expected, "{name}\n{}", program.log());
    }
    for answer in answers(program, base_ns).await {
        assert_eq!(answer, count, "{}", program.log());
    }
}

/// How many records, samples and spans the three languages and SQL find.
async fn answers(program: &Program, base_ns: u64) -> [u64; 4] {
    let (start_ns, end_ns) = (base_ns - SECOND_NS, base_ns + 60 * SECOND_NS);
    let number = |value: &serde_json::Value| {
        value[0]["value"][1].as_str().map_or(0, |text| text.parse().unwrap())
    };
    let samples = program.promql("count_over_time(numbers[2m])", end_ns).await;
    let lines = program.logql("{service_name=\"shop\"}", start_ns, end_ns).await;
    let spans = program.sql("SELECT count(*) AS n FROM spans WHERE name = 'buy'").await;
    let traces = program.traceql("{ name = \"buy\" }", start_ns, end_ns).await;
    assert!(!traces.as_array().unwrap().is_empty());
    let lines = crate::ask::lines(&lines).len() as u64;
    [number(&samples), lines, spans[0]["n"].as_u64().unwrap(), lines]
}

/// A program whose lake is in a bucket of `server`.
async fn start(server: &Server, settings: &[&str]) -> Program {
    let all = with(server, settings);
    Program::start(&all.iter().map(String::as_str).collect::<Vec<_>>()).await
}

fn with(server: &Server, settings: &[&str]) -> Vec<String> {
    let ours = SETTINGS.iter().chain(settings).map(|&text| text.to_owned());
    server.settings().into_iter().chain(ours).collect()
}

fn base_ns() -> u64 {
    now_ns() - 600 * SECOND_NS
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_read_once_however_often_it_is_asked() {
    let server = Server::start().await;
    let settings = ["storage.compaction.enabled=false", "storage.cache.write_through=false"];
    let mut program = start(&server, &settings).await;
    let base_ns = base_ns();
    send(&program, base_ns, 0..500).await;
    wait_for_flush(&program).await;
    program.kill();
    program.start_again().await;

    let before = server.counted();
    check(&program, base_ns, 500).await;
    let cold = server.counted();
    let (gets, bytes) =
        (cold.segment_gets - before.segment_gets, cold.bytes_out - before.bytes_out);
    eprintln!("cold: {gets} requests and {bytes} bytes for all languages");
    // Three tables, each with a segment smaller than a block: footer and data in one request.
    // (Their labels were read when the program started.)
    assert_eq!(gets, 3);
    assert_eq!(cold.other_gets, before.other_gets, "queries list nothing and read no log");

    check(&program, base_ns, 500).await;
    assert_eq!(server.counted().segment_gets, cold.segment_gets, "warm queries ask for nothing");

    // What is on the disk is found again by the next process; it is put there when nobody waits.
    tokio::time::sleep(Duration::from_secs(2)).await;
    program.kill();
    program.start_again().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    check(&program, base_ns, 500).await;
    assert_eq!(server.counted().segment_gets, cold.segment_gets, "{}", program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_through_the_cache_is_never_fetched() {
    let server = Server::start().await;
    let mut program = start(&server, &["storage.compaction.enabled=false"]).await;
    let base_ns = base_ns();
    send(&program, base_ns, 0..200).await;
    wait_for_flush(&program).await;
    check(&program, base_ns, 200).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    program.kill();
    program.start_again().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    check(&program, base_ns, 200).await;
    assert_eq!(server.counted().segment_gets, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_conditions_is_refused() {
    let server = Server::start().await;
    server.ignore_conditions();
    let settings = with(&server, &[]);
    let mut program = Program::prepare(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    let said = program.refuses_to_start().await;
    assert!(said.contains("s3://lake") && said.contains("If-None-Match"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_named() {
    let endpoint = format!("storage.s3.endpoint=http://127.0.0.1:{}", free_port());
    let mut settings = vec!["storage.s3.bucket=lake", "storage.s3.allow_http=true", &endpoint];
    settings.extend(["storage.s3.access_key_id=any", "storage.s3.secret_access_key=any"]);
    settings.extend(SETTINGS);
    let said = Program::prepare(&settings).refuses_to_start().await;
    assert!(said.contains("s3://lake") && said.contains("4 attempts"), "{said}");
}

/// Runs a history with faults; the requests that it took.
async fn history(plan: Option<(u64, u64, Fault)>) -> u64 {
    let server = Server::start().await;
    // Some requests overlap on a network as they never do on one machine.
    server.set_latency(Duration::from_millis(2));
    let mut program = start(&server, &[]).await;
    let (first, length, fault) = plan.unwrap_or((0, 0, Fault::Stall));
    server.faults().plan(first, length, fault);
    let base_ns = base_ns();
    for at in 0..2 {
        send(&program, base_ns, at * 40..(at + 1) * 40).await;
        wait_for_flush(&program).await;
        // Time for a merge.
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    check(&program, base_ns, 80).await;
    program.kill();
    let long = length > 1;
    if long {
        // A store that is away when the program starts is no fault that it could ride out.
        server.faults().clear();
    }
    program.start_again().await;
    check(&program, base_ns, 80).await;
    let (met, requests) = server.faults().clear();
    eprintln!("{fault:?} at {first}: {met:?}");
    assert!(program.lives());
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_may_meet_each_fault() {
    let faults = [
        (Fault::Refuse(503, "SlowDown"), 1),
        (Fault::Refuse(500, "InternalError"), 1),
        (Fault::Refuse(409, "ConditionalRequestConflict"), 1),
        (Fault::Reset, 1),
        (Fault::Stall, 1),
        (Fault::Late(Duration::from_millis(700)), 1),
        (Fault::LoseAnswer, 1),
        (Fault::Refuse(503, "SlowDown"), 12),
    ];
    let requests = history(None).await;
    assert!(requests > 20, "{requests} requests: the history has become too short");
    let all = std::env::var("SIGLAKE_FAULTS").is_ok_and(|value| value == "all");
    let step = if all { 1 } else { requests.div_ceil(SAMPLES) };
    let mut running = JoinSet::new();
    for (at, (fault, length)) in faults.into_iter().enumerate() {
        // Other requests for each fault, and in each run.
        let first = (now_ns() / 1_000_000 + at as u64) % step;
        for number in (first..requests).step_by(usize::try_from(step).unwrap()) {
            if running.len() >= AT_ONCE {
                running.join_next().await.unwrap().unwrap();
            }
            running.spawn(history(Some((number, length, fault))));
        }
    }
    running.join_all().await;
}

/// A moto server, ended when dropped.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_others_holds_a_lake() {
    let Some(python) = clients::python() else { return };
    let port = free_port();
    let child = Command::new(python.with_file_name("moto_server"))
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _moto = Moto(child.unwrap());
    let url = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::new();
    let began = Instant::now();
    while !http.put(format!("{url}/lake")).send().await.is_ok_and(|a| a.status().is_success()) {
        assert!(began.elapsed() < Duration::from_secs(60), "moto does not start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let endpoint = format!("storage.s3.endpoint={url}");
    let mut settings = vec!["storage.s3.bucket=lake", "storage.s3.allow_http=true", &endpoint];
    settings.extend(["storage.s3.access_key_id=any", "storage.s3.secret_access_key=any"]);
    settings.extend(["storage.flush_interval=1s", "storage.s3.prefix=some/folder"]);
    let mut program = Program::start(&settings).await;
    let base_ns = base_ns();
    send(&program, base_ns, 0..100).await;
    wait_for_flush(&program).await;
    check(&program, base_ns, 100).await;
    program.kill();
    // Without what it kept nearby.
    std::fs::remove_dir_all(program.data().join("cache")).unwrap();
    program.start_again().await;
    check(&program, base_ns, 100).await;
    send(&program, base_ns, 100..150).await;
    assert!(program.stop().await.success(), "{}", program.log());
    program.start_again().await;
    check(&program, base_ns, 150).await;
}
