//! `kill -9` under load: what was acknowledged is there afterwards, once.
//!
//! ```text
//!  writers ── numbers ──▶ siglake ──▶ ack?        per number: sent, acknowledged
//!                            ✂ kill -9 at a random moment
//!  restart on the same folder, ask for all numbers:
//!     acknowledged            exactly once
//!     sent, not acknowledged  once or not at all
//!     anything else           never
//!  send again what was not acknowledged, as a client does: exactly once
//! ```
//!
//! Every fourth round ends with SIGTERM instead. Each round looks at all numbers since the last
//! [`LOOK_BACK`] rounds began, and every tenth one, like the last, at all there ever were. A soak of
//! many rounds is `SIGLAKE_CRASH_ROUNDS=300 cargo test -p tests --test it -- crash --nocapture`; it
//! tells of every tenth round.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::Message;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Rounds of load and kill, unless `SIGLAKE_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 20;

/// Rounds whose numbers are all looked for between two looks at everything.
const LOOK_BACK: u64 = 10;

/// Records of one request.
const BATCH: u64 = 20;

/// Writers of each signal.
const WRITERS: u64 = 3;

const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Metrics, Signal::Spans];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Signal {
    Logs,
    Metrics,
    Spans,
}

/// Which numbers one writer has sent, and which of them were acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    sent: HashSet<u64>,
    acknowledged: HashSet<u64>,
    /// First number and body of requests whose answer did not come.
    unanswered: Vec<(u64, Vec<u8>)>,
}

impl Ledger {
    fn merge(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.acknowledged.extend(other.acknowledged);
        self.unanswered.extend(other.unanswered);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_survives_kill_9() {
    let rounds = std::env::var("SIGLAKE_CRASH_ROUNDS")
        .map_or(ROUNDS, |text| text.parse().expect("SIGLAKE_CRASH_ROUNDS is a number"));
    // Flushing all the time makes kills meet segments and commits half written, too.
    let mut program =
        Program::start(&["storage.flush_interval=300ms", "query.sql_rows_max=20000000"]).await;
    // Each number has a millisecond of its own; a round has some ten thousand.
    let base_ns = now_ns() - (3_600 + rounds * 60) * SECOND_NS;
    let next = Arc::new(AtomicU64::new(1));
    let mut ledgers: HashMap<Signal, Ledger> = HashMap::new();
    let mut first_looked_for = 0;
    for round in 0..rounds {
        if round % LOOK_BACK == 0 {
            first_looked_for = next.load(Ordering::Relaxed);
        }
        let is_told = round % LOOK_BACK == LOOK_BACK - 1 || round + 1 == rounds;
        let from = if is_told { 0 } else { first_looked_for };
        let mut writers = JoinSet::new();
        for signal in SIGNALS {
            for _ in 0..WRITERS {
                let (http, url) =
                    (program.http.clone(), program.url(&format!("/v1/{}", path(signal))));
                writers.spawn(write(signal, http, url, Arc::clone(&next), base_ns));
            }
        }
        // The moment need not be reproducible, only different each time.
        tokio::time::sleep(Duration::from_millis(200 + now_ns() / 1_000 % 900)).await;
        if round % 4 == 3 {
            assert!(program.stop().await.success(), "{}", program.log());
        } else {
            program.kill();
        }
        for (signal, ledger) in writers.join_all().await {
            ledgers.entry(signal).or_default().merge(ledger);
        }
        program.start_again().await;
        for signal in SIGNALS {
            let ledger = ledgers.get_mut(&signal).unwrap();
            let look = Look { base_ns, from };
            check(round, signal, ledger, from, &found(&program, signal, look).await);
            for (first, body) in std::mem::take(&mut ledger.unanswered) {
                let answer = program.post_otlp(path(signal), body, &[]).await;
                assert_eq!(answer.status(), StatusCode::OK, "{signal:?}");
                ledger.acknowledged.extend(first..first + BATCH);
            }
            check(round, signal, ledger, from, &found(&program, signal, look).await);
        }
        if is_told {
            let acknowledged: usize = ledgers.values().map(|it| it.acknowledged.len()).sum();
            eprintln!(
                "round {}: {acknowledged} records acknowledged, none lost, none doubled",
                round + 1
            );
        }
    }
    for (signal, ledger) in &ledgers {
        assert!(ledger.acknowledged.len() > 100, "{signal:?}: too little load to mean anything");
        eprintln!(
            "{signal:?}: {} acknowledged of {} sent",
            ledger.acknowledged.len(),
            ledger.sent.len()
        );
    }
}

/// Sends batches until the program is gone.
async fn write(
    signal: Signal,
    http: reqwest::Client,
    url: String,
    next: Arc<AtomicU64>,
    base_ns: u64,
) -> (Signal, Ledger) {
    let mut ledger = Ledger::default();
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let numbers = first..first + BATCH;
        ledger.sent.extend(numbers.clone());
        let body = request(signal, numbers.clone(), base_ns);
        let sent =
            http.post(&url).header("content-type", "application/x-protobuf").body(body.clone());
        match sent.send().await.map(|answer| answer.status()) {
            Ok(StatusCode::OK) => ledger.acknowledged.extend(numbers),
            // It is told to try again later.
            Ok(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                ledger.unanswered.push((first, body));
            }
            Ok(status) => panic!("{signal:?}: {status}"),
            Err(_) => {
                ledger.unanswered.push((first, body));
                return (signal, ledger);
            }
        }
    }
}

fn request(signal: Signal, numbers: std::ops::Range<u64>, base_ns: u64) -> Vec<u8> {
    let time = |number: u64| base_ns + number * 1_000_000;
    match signal {
        Signal::Logs => {
            let record = |number| telemetry::log(time(number), &number.to_string());
            telemetry::logs("crash", numbers.map(record).collect()).encode_to_vec()
        }
        Signal::Metrics => {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let point = |number| telemetry::point(time(number), number as f64, Vec::new());
            let gauge = telemetry::gauge("crash_value", numbers.map(point).collect());
            telemetry::metrics("crash", vec![gauge]).encode_to_vec()
        }
        Signal::Spans => {
            let span = |number: u64| {
                let trace = u128::from(number);
                telemetry::span(trace, number, 0, &number.to_string(), time(number))
            };
            telemetry::spans("crash", numbers.map(span).collect()).encode_to_vec()
        }
    }
}

/// Which numbers are looked for: those from `from` on.
#[derive(Clone, Copy, Debug)]
struct Look {
    base_ns: u64,
    from: u64,
}

/// How often each number is stored.
async fn found(program: &Program, signal: Signal, look: Look) -> HashMap<u64, u64> {
    let since_ns = look.base_ns + look.from * 1_000_000;
    let since = format!("arrow_cast({since_ns}, 'Timestamp(Nanosecond, None)')");
    let statement = match signal {
        Signal::Logs => {
            format!(
                "SELECT body AS number, count(*) AS n FROM logs WHERE time >= {since} GROUP BY body"
            )
        }
        Signal::Metrics => format!(
            "SELECT arrow_cast(arrow_cast(value, 'Int64'), 'Utf8') AS number, count(*) AS n \
             FROM metrics WHERE metric_name = 'crash_value' AND value >= {} GROUP BY value",
            look.from
        ),
        Signal::Spans => format!(
            "SELECT name AS number, count(*) AS n FROM spans WHERE time >= {since} \
             GROUP BY name"
        ),
    };
    let rows = program.sql(&statement).await;
    let number = |row: &Value| row["number"].as_str().unwrap().parse().unwrap();
    rows.iter().map(|row| (number(row), row["n"].as_u64().unwrap())).collect()
}

fn check(round: u64, signal: Signal, ledger: &Ledger, from: u64, found: &HashMap<u64, u64>) {
    let looked_for = ledger.acknowledged.iter().filter(|number| **number >= from);
    let lost: Vec<_> = looked_for.filter(|number| !found.contains_key(number)).collect();
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
    let made_up: Vec<_> = found.keys().filter(|number| !ledger.sent.contains(number)).collect();
    assert!(
        lost.is_empty() && twice.is_empty() && made_up.is_empty(),
        "round {round}, {signal:?}: {} acknowledged; lost {} {:?}; not once {} {:?}; made up {} {:?}",
        ledger.acknowledged.len(),
        lost.len(),
        &lost[..lost.len().min(10)],
        twice.len(),
        &twice[..twice.len().min(10)],
        made_up.len(),
        &made_up[..made_up.len().min(10)],
    );
}

fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "logs",
        Signal::Metrics => "metrics",
        Signal::Spans => "traces",
    }
}
