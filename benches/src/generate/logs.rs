//! Log records: logfmt lines of a web shop, some 300 bytes long.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::Load;
use super::otlp::{body, int, pod, scope, text};

/// Services that log.
pub(crate) const SERVICES: [&str; 10] = [
    "checkout", "cart", "payment", "shipping", "catalog", "search", "account", "email", "currency",
    "frontend",
];

/// A text in about one of 100,000 lines.
pub(crate) const NEEDLE: &str = "connection reset by peer";

/// Records of a request.
const BATCH: u64 = 512;

/// Resources of a request, with as many records each.
const RESOURCES: u64 = 4;

/// Pods of a service.
const PODS: usize = 4;

const ROUTES: [&str; 8] = [
    "/api/v1/orders",
    "/api/v1/orders/{id}",
    "/api/v1/carts/{id}/items",
    "/api/v1/products",
    "/api/v1/products/{id}/reviews",
    "/api/v1/payments",
    "/api/v1/shipments/{id}",
    "/healthz",
];

const MESSAGES: [&str; 6] = [
    "request completed",
    "upstream call finished",
    "cache lookup done",
    "inventory reservation confirmed for all positions of the order",
    "payment authorisation received from provider",
    "background task finished",
];

/// Requests that a pod serves at once.
const SERVED_AT_ONCE: usize = 8;

/// About `rows` records over so many nanoseconds from `start_ns`, so many a request that is served.
pub(super) fn generate(
    rows: u64,
    seed: u64,
    start_ns: u64,
    range_ns: u64,
    lines: u32,
) -> Vec<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let batches = rows.div_ceil(BATCH);
    let span_ns = range_ns / batches.max(1);
    let mut loads = Vec::new();
    for batch in 0..batches {
        let time_ns = start_ns + batch * span_ns;
        let resource_logs =
            (0..RESOURCES).map(|_| resource(&mut rng, time_ns, span_ns, lines)).collect();
        let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec().into();
        loads.push(Load { time_ns, rows: BATCH, body });
    }
    loads
}

fn resource(rng: &mut StdRng, time_ns: u64, span_ns: u64, lines: u32) -> ResourceLogs {
    let service = SERVICES.choose(rng).copied().unwrap_or(SERVICES[0]);
    let count = BATCH / RESOURCES;
    let step_ns = span_ns / count;
    let mut served: Vec<Served> = (0..SERVED_AT_ONCE).map(|_| Served::new(rng)).collect();
    let log_records = (0..count).map(|number| {
        let one = rng.random_range(0..SERVED_AT_ONCE);
        if rng.random_ratio(1, lines) {
            served[one] = Served::new(rng);
        }
        record(rng, &served[one], time_ns + number * step_ns)
    });
    let log_records = log_records.collect();
    let scope = Some(scope("shop.logging"));
    ResourceLogs {
        resource: Some(pod(service, rng.random_range(0..PODS))),
        scope_logs: vec![ScopeLogs { scope, log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}

/// A request being served.
#[derive(Clone, Debug)]
struct Served {
    route: &'static str,
    method: &'static str,
    request: u64,
    user: u32,
    trace: u128,
    span: u64,
}

impl Served {
    fn new(rng: &mut StdRng) -> Self {
        Self {
            route: ROUTES.choose(rng).copied().unwrap_or(ROUTES[0]),
            method: if rng.random_bool(0.7) { "GET" } else { "POST" },
            request: rng.random(),
            user: rng.random_range(0..50_000),
            trace: rng.random(),
            span: rng.random(),
        }
    }
}

fn record(rng: &mut StdRng, served: &Served, time_ns: u64) -> LogRecord {
    let Served { route, method, request, user, trace, span } = served.clone();
    let message = MESSAGES.choose(rng).copied().unwrap_or(MESSAGES[0]);
    let failed = rng.random_ratio(2, 100);
    let status = if failed { 500 } else { 200 };
    let duration_us = rng.random_range(200..400_000);
    let bytes = rng.random_range(120..90_000);
    let cause = if rng.random_ratio(1, 100_000) { NEEDLE } else { "none" };
    let line = format!(
        "msg=\"{message}\" method={method} route={route} path=/api/v1/orders/{user} status={status} \
         duration={:.3}ms bytes={bytes} request_id={request:016x} user_id={user} \
         user_agent=\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\" cause=\"{cause}\" \
         component=http-handler release=2026.11.2",
        f64::from(duration_us) / 1000.0,
    );
    LogRecord {
        time_unix_nano: time_ns + rng.random_range(0..100_000),
        observed_time_unix_nano: time_ns + 150_000,
        severity_number: if failed { 17 } else { 9 },
        severity_text: if failed { "ERROR" } else { "INFO" }.to_owned(),
        body: Some(body(line)),
        attributes: vec![
            text("http.request.method", method),
            text("http.route", route),
            int("http.response.status_code", status),
            int("http.response.body.size", bytes),
            text("url.scheme", "https"),
            text("client.address", format!("10.{}.{}.{}", user % 4, user % 250, request % 250)),
            text("user.id", user.to_string()),
            text("request.id", format!("{request:016x}")),
            text("code.function.name", "shop.http.handler.serve"),
            text("code.file.path", "src/http/handler.rs"),
            int("code.line.number", i64::from(user % 400)),
            text("thread.name", format!("worker-{}", request % 16)),
        ],
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        ..LogRecord::default()
    }
}
