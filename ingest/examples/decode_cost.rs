//! What decoding costs: CPU seconds per million records of each signal, decode alone.
//!
//! `cargo run --release -p ingest --example decode_cost`. The requests are those of an ordinary
//! service: a dozen resource attributes, five attributes a point, eight a record or span.

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ingest::{Decoder, IngestOptions};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::{logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace};
use prost::Message;
use schemas::model::Signal;
use schemas::tables::Table;
use storage::{Decode, Frame, LabelIndex};

const RECORDS: usize = 10_000;
const ROUNDS: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let decoder = Decoder::new(&IngestOptions::default());
    let mut out = std::io::stdout().lock();
    for (signal, payload) in [
        (Signal::Metrics, metrics_request(now_ns).encode_to_vec()),
        (Signal::Logs, logs_request(now_ns).encode_to_vec()),
        (Signal::Traces, traces_request(now_ns).encode_to_vec()),
    ] {
        let bytes = payload.len() / RECORDS;
        let frame = Frame {
            tenant: "default".into(),
            signal,
            encoding: 0,
            received_ns: now_ns as i64,
            payload: payload.into(),
            notes: bytes::Bytes::new(),
            identity: None,
        };
        let (series, streams) = (LabelIndex::default(), LabelIndex::default());
        // The first round makes the series; those that are timed know them.
        for batch in decoder.decode(&frame, &series, &streams)? {
            match batch.table {
                Table::MetricSeries => series.absorb(&batch.rows)?,
                Table::LogStreams => streams.absorb(&batch.rows)?,
                _ => {}
            }
        }
        let start = Instant::now();
        let mut rows = 0;
        for _ in 0..ROUNDS {
            let batches = decoder.decode(&frame, &series, &streams)?;
            rows += batches.iter().map(|batch| batch.rows.num_rows()).sum::<usize>();
        }
        let seconds = start.elapsed().as_secs_f64() * 1e6 / (RECORDS * ROUNDS) as f64;
        // Fewer or more would mean that something else was timed; the metrics bring `target_info`.
        let records = RECORDS * ROUNDS;
        if rows < records || rows > records + ROUNDS {
            return Err(format!("{signal}: {rows} rows of {records} records").into());
        }
        writeln!(out, "{signal:8} {seconds:6.2} s per million records of {bytes} bytes")?;
    }
    Ok(())
}

fn string(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

fn resource() -> Option<Resource> {
    let mut attributes: Vec<KeyValue> =
        (0..9).map(|i| string(&format!("resource.attribute.{i}"), format!("value-{i}"))).collect();
    attributes.push(string("service.name", "shop".to_owned()));
    attributes.push(string("service.namespace", "prod".to_owned()));
    attributes.push(string("service.instance.id", "shop-7d9f".to_owned()));
    Some(Resource { attributes, ..Default::default() })
}

fn attributes(count: usize, i: usize) -> Vec<KeyValue> {
    let keys = [
        "http.request.method",
        "http.route",
        "server.address",
        "region",
        "user.id",
        "cart.items",
        "feature.flag",
        "thread.name",
    ];
    keys[..count].iter().map(|key| string(key, format!("value-{}", i % 1_000))).collect()
}

fn metrics_request(now_ns: u64) -> ExportMetricsServiceRequest {
    let data_points = (0..RECORDS)
        .map(|i| metrics::NumberDataPoint {
            attributes: attributes(5, i),
            start_time_unix_nano: now_ns - 60_000_000_000,
            time_unix_nano: now_ns,
            value: Some(metrics::number_data_point::Value::AsDouble(i as f64)),
            ..Default::default()
        })
        .collect();
    let sum = metrics::Sum { data_points, aggregation_temporality: 2, is_monotonic: true };
    let metric = metrics::Metric {
        name: "http.server.requests".to_owned(),
        data: Some(metrics::metric::Data::Sum(sum)),
        ..Default::default()
    };
    let scope_metrics = vec![metrics::ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    let resource = resource();
    let resource_metrics =
        vec![metrics::ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn logs_request(now_ns: u64) -> ExportLogsServiceRequest {
    let body = "GET /cart/items took 12.5 ms for user 4711 with a body of 1234 bytes".to_owned();
    let log_records = (0..RECORDS)
        .map(|i| logs::LogRecord {
            time_unix_nano: now_ns - i as u64,
            observed_time_unix_nano: now_ns,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(body.clone())) }),
            attributes: attributes(8, i),
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            ..Default::default()
        })
        .collect();
    let scope_logs = vec![logs::ScopeLogs { log_records, ..Default::default() }];
    let resource = resource();
    let resource_logs = vec![logs::ResourceLogs { resource, scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }
}

fn traces_request(now_ns: u64) -> ExportTraceServiceRequest {
    let event = trace::span::Event {
        time_unix_nano: now_ns,
        name: "cache miss".to_owned(),
        attributes: attributes(1, 0),
        ..Default::default()
    };
    let spans = (0..RECORDS)
        .map(|i| trace::Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            parent_span_id: vec![3; 8],
            name: format!("GET /route/{}", i % 20),
            kind: 2,
            start_time_unix_nano: now_ns - i as u64,
            end_time_unix_nano: now_ns,
            attributes: attributes(8, i),
            events: vec![event.clone()],
            ..Default::default()
        })
        .collect();
    let scope_spans = vec![trace::ScopeSpans { spans, ..Default::default() }];
    let resource = resource();
    let resource_spans = vec![trace::ResourceSpans { resource, scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }
}
