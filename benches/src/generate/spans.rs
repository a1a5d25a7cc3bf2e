//! Spans: requests through a shop, ten spans each, one in fifty with an error.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Load;
use super::otlp::{int, pod, scope, text};

/// Spans of a trace: service, name, kind, parent (an index into this table).
const TRACE: [(&str, &str, i32, Option<usize>); 10] = [
    ("frontend", "POST /checkout", 2, None),
    ("frontend", "POST", 3, Some(0)),
    ("checkout", "PlaceOrder", 2, Some(1)),
    ("checkout", "GetCart", 3, Some(2)),
    ("cart", "GetCart", 2, Some(3)),
    ("cart", "GET redis", 3, Some(4)),
    ("checkout", "Charge", 3, Some(2)),
    ("payment", "Charge", 2, Some(6)),
    ("checkout", "INSERT orders", 3, Some(2)),
    ("checkout", "publish orders", 4, Some(2)),
];

const SERVICES: [&str; 4] = ["frontend", "checkout", "cart", "payment"];

/// Traces of a request.
const BATCH: u64 = 50;

/// About `rows` spans over so many nanoseconds from `start_ns`.
pub(super) fn generate(rows: u64, seed: u64, start_ns: u64, range_ns: u64) -> Vec<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let rows_per_batch = BATCH * 10;
    let batches = rows.div_ceil(rows_per_batch);
    let span_ns = range_ns / batches.max(1);
    let mut loads = Vec::new();
    for batch in 0..batches {
        let time_ns = start_ns + batch * span_ns;
        let mut by_service: [Vec<Span>; 4] = Default::default();
        for number in 0..BATCH {
            trace(&mut rng, time_ns + number * (span_ns / BATCH), &mut by_service);
        }
        let resource_spans = SERVICES
            .iter()
            .zip(by_service)
            .map(|(service, spans)| resource(&mut rng, service, spans))
            .collect();
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
        loads.push(Load { time_ns, rows: rows_per_batch, body });
    }
    loads
}

fn resource(rng: &mut StdRng, service: &str, spans: Vec<Span>) -> ResourceSpans {
    let scope_spans =
        vec![ScopeSpans { scope: Some(scope("shop.tracing")), spans, ..ScopeSpans::default() }];
    let resource = Some(pod(service, rng.random_range(0..4)));
    ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }
}

fn trace(rng: &mut StdRng, start_ns: u64, by_service: &mut [Vec<Span>; 4]) {
    let trace_id = rng.random::<u128>().to_be_bytes().to_vec();
    let ids: [u64; TRACE.len()] = rng.random();
    let failed = rng.random_ratio(1, 50);
    let duration_ns = rng.random_range(20_000_000..800_000_000_u64);
    for (number, (service, name, kind, parent)) in TRACE.iter().enumerate() {
        let depth = u64::try_from(number).unwrap_or(0);
        let start = start_ns + depth * duration_ns / 40;
        let end = start + duration_ns / (depth + 1);
        let span = Span {
            trace_id: trace_id.clone(),
            span_id: ids[number].to_be_bytes().to_vec(),
            parent_span_id: parent
                .map_or_else(Vec::new, |parent| ids[parent].to_be_bytes().to_vec()),
            name: (*name).to_owned(),
            kind: *kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes: attributes(rng, failed),
            status: (failed && number == 7)
                .then(|| Status { code: 2, message: "card declined".to_owned() }),
            ..Span::default()
        };
        let place = SERVICES.iter().position(|known| known == service).unwrap_or(0);
        by_service[place].push(span);
    }
}

fn attributes(
    rng: &mut StdRng,
    failed: bool,
) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    let order = rng.random_range(0..1_000_000);
    vec![
        text("http.request.method", "POST"),
        text("http.route", "/api/v1/orders/{id}"),
        int("http.response.status_code", if failed { 500 } else { 200 }),
        text("url.path", format!("/api/v1/orders/{order}")),
        text("url.scheme", "https"),
        text("server.address", "shop.example.com"),
        int("server.port", 8443),
        text("client.address", format!("10.0.{}.{}", order % 4, order % 250)),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        text("thread.name", format!("worker-{}", order % 16)),
        int("order.id", i64::from(order)),
    ]
}
