//! Log records whose body is a JSON object of some 280 bytes with an id that no other has, and
//! that say nothing else: what log stores are often measured with.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::Load;
use super::logs::SERVICES;
use super::otlp::{body, pod};

/// Records of a request, all of one stream.
const BATCH: u64 = 256;

const MESSAGES: [&str; 5] = [
    "request completed",
    "upstream call finished",
    "cache lookup done",
    "inventory reservation confirmed for all positions",
    "background task finished",
];

const ROUTES: [&str; 5] = ["orders", "carts", "products", "payments", "shipments"];

/// About `rows` records over so many nanoseconds from `start_ns`.
pub(super) fn generate(rows: u64, seed: u64, start_ns: u64, range_ns: u64) -> Vec<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let batches = rows.div_ceil(BATCH);
    let span_ns = range_ns / batches.max(1);
    let mut loads = Vec::new();
    for batch in 0..batches {
        let time_ns = start_ns + batch * span_ns;
        let service = SERVICES.choose(&mut rng).copied().unwrap_or(SERVICES[0]);
        let step_ns = span_ns / BATCH;
        let log_records =
            (0..BATCH).map(|number| record(&mut rng, service, time_ns + number * step_ns));
        let scope_logs =
            vec![ScopeLogs { log_records: log_records.collect(), ..ScopeLogs::default() }];
        let resource = Some(pod(service, rng.random_range(0..4)));
        let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
        let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec().into();
        loads.push(Load { time_ns, rows: BATCH, body });
    }
    loads
}

fn record(rng: &mut StdRng, service: &str, time_ns: u64) -> LogRecord {
    let failed = rng.random_ratio(2, 100);
    let (level, status) = if failed { ("error", 500) } else { ("info", 200) };
    let route = ROUTES.choose(rng).copied().unwrap_or(ROUTES[0]);
    let message = MESSAGES.choose(rng).copied().unwrap_or(MESSAGES[0]);
    let line = format!(
        "{{\"level\":\"{level}\",\"logger\":\"shop.{service}.handler\",\"method\":\"{}\",\
         \"path\":\"/api/v1/{route}/{}\",\"status\":{status},\"duration_ms\":{:.3},\
         \"bytes\":{},\"request_id\":\"{:032x}\",\"client\":\"10.0.{}.{}\",\"thread\":\"worker-{}\",\
         \"msg\":\"{message}\"}}",
        if rng.random_bool(0.7) { "GET" } else { "POST" },
        rng.random_range(0..50_000),
        f64::from(rng.random_range(200..400_000)) / 1000.0,
        rng.random_range(120..90_000),
        rng.random::<u128>(),
        rng.random_range(0..4),
        rng.random_range(0..250),
        rng.random_range(0..16),
    );
    LogRecord {
        // Loggers tell milliseconds.
        time_unix_nano: time_ns / 1_000_000 * 1_000_000,
        severity_number: if failed { 17 } else { 9 },
        body: Some(body(line)),
        ..LogRecord::default()
    }
}
