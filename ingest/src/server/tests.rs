//! Tests of the doors, with a real store behind them.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::http::{Request, StatusCode};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use schemas::model::Signal;
use schemas::tables::Table;
use storage::{Store, StoreOptions};
use tonic::codec::CompressionEncoding;
use tower::ServiceExt;

use super::messages::{RetryInfo, Status};
use super::{grpc_routes, http_router};
use crate::{Decoder, ErrorKind, Ingest, IngestOptions, Limits, SignalStats};

const NOW_NS: i64 = 1_700_000_000_000_000_000;
const GRPC_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

struct Rig {
    ingest: Arc<Ingest>,
    store: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Rig {
    async fn new(change: impl FnOnce(&mut IngestOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::open(folder, change).await
    }

    async fn open(folder: tempfile::TempDir, change: impl FnOnce(&mut IngestOptions)) -> Self {
        let mut options = IngestOptions { now_ns: || NOW_NS, ..IngestOptions::default() };
        change(&mut options);
        let decoder = Arc::new(Decoder::new(&options));
        let store = Store::open(StoreOptions::new(folder.path()), decoder).await.unwrap();
        let ingest = Arc::new(Ingest::new(Arc::clone(&store), options));
        Self { ingest, store, folder }
    }

    fn http(&self) -> Router {
        http_router(Arc::clone(&self.ingest))
    }

    fn grpc(&self) -> Router {
        grpc_routes(Arc::clone(&self.ingest))
    }

    fn stored_logs(&self, tenant: &str) -> usize {
        let table = self.store.snapshot(tenant).table(Table::Logs);
        let segments: u64 = table.segments.iter().map(|segment| segment.rows).sum();
        let batches: usize = table.batches.iter().map(|batch| batch.num_rows()).sum();
        usize::try_from(segments).unwrap() + batches
    }

    fn logs(&self, tenant: &str) -> SignalStats {
        let stats = self.ingest.stats();
        let of_tenant = stats.tenants.iter().find(|of| of.tenant.as_ref() == tenant).unwrap();
        of_tenant.signals.iter().find(|(signal, _)| *signal == Signal::Logs).unwrap().1
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/v1/logs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(self.http(), request.body(body.into()).unwrap()).await
    }

    async fn call(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(GRPC_PATH).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(self.grpc(), request.body(body.into()).unwrap()).await
    }
}

struct Answer {
    status: StatusCode,
    headers: ::http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let mut headers = parts.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    Answer { status: parts.status, headers, body: body.to_bytes() }
}

/// Records of one time, another one at each call.
fn request(records: usize) -> ExportLogsServiceRequest {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let time_unix_nano = NOW_NS as u64 - CALLS.fetch_add(1, Ordering::Relaxed);
    let record = LogRecord { time_unix_nano, ..Default::default() };
    let log_records = vec![record; records];
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[tokio::test]
async fn every_encoding_is_stored_and_survives_a_restart() {
    let rig = Rig::new(|_| ()).await;
    let message = || request(2).encode_to_vec();
    let zstd = zstd::encode_all(message().as_slice(), 1).unwrap();
    for (encoding, body) in [("identity", message()), ("gzip", gzip(&message())), ("zstd", zstd)] {
        let answer = rig.post(&[PROTOBUF, ("content-encoding", encoding)], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{encoding}");
        let response = ExportLogsServiceResponse::decode(answer.body).unwrap();
        assert_eq!(response.partial_success, None);
    }
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}"#;
    let answer = rig.post(&[JSON], json).await;
    assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"{}".as_slice()));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(rig.stored_logs("default"), 8);
    let stats = rig.ingest.stats();
    let logs = rig.logs("default");
    assert_eq!((logs.requests, logs.received_rows, logs.stored_rows), (4, 8, 8));
    assert_eq!(stats.inflight_bytes, 0);

    let Rig { ingest, store, folder } = rig;
    drop((ingest, store));
    let again = Rig::open(folder, |_| ()).await;
    assert_eq!(again.stored_logs("default"), 8);
}

#[tokio::test]
async fn rejected_records_are_a_partial_success() {
    let rig = Rig::new(|_| ()).await;
    let mut message = request(3);
    message.resource_logs[0].scope_logs[0].log_records[1].time_unix_nano = 1;
    let answer = rig.post(&[PROTOBUF], message.encode_to_vec()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let response = ExportLogsServiceResponse::decode(answer.body).unwrap();
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 1);
    assert!(partial.error_message.contains("too old"), "{}", partial.error_message);
    assert_eq!(rig.stored_logs("default"), 2);

    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1"}]}]}]}"#;
    let answer = rig.post(&[JSON], json).await;
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], "1");
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[tokio::test]
async fn a_request_that_comes_again_is_stored_once() {
    let rig = Rig::new(|_| ()).await;
    let message = request(3).encode_to_vec();
    let encodings =
        [("identity", message.clone()), ("gzip", gzip(&message)), ("zstd", zstd(&message))];
    for (encoding, body) in &encodings {
        let answer = rig.post(&[PROTOBUF, ("content-encoding", encoding)], body.clone()).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0), "{encoding}");
    }
    let answer = rig.call(&[], frame(0, &message)).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (StatusCode::OK, "0"));
    assert_eq!(answer.body.as_ref(), [0; 5], "a success, nothing rejected");
    assert_eq!(rig.stored_logs("default"), 3);
    // Records without a time of their own have happened anew.
    let untimed = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}"#;
    for _ in 0..2 {
        rig.post(&[JSON], untimed).await;
    }
    assert_eq!(rig.stored_logs("default"), 7);
    let logs = rig.logs("default");
    assert_eq!((logs.requests, logs.received_rows, logs.stored_rows), (6, 16, 7));
    assert_eq!((logs.deduplicated_requests, logs.deduplicated_rows), (3, 9));

    // It is recognised after a crash and after a flush, and both again.
    let Rig { mut ingest, mut store, mut folder } = rig;
    for is_flushed in [false, true, true] {
        if is_flushed {
            store.flush().await.unwrap();
        }
        drop((ingest, store));
        let again = Rig::open(folder, |_| ()).await;
        let answer = again.post(&[PROTOBUF], message.clone()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(again.stored_logs("default"), 7);
        assert_eq!(again.logs("default").deduplicated_rows, 3);
        (ingest, store, folder) = (again.ingest, again.store, again.folder);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_are_stored_once() {
    let rig = Rig::new(|_| ()).await;
    let message = request(3).encode_to_vec();
    let calls = (0..20).map(|_| rig.post(&[PROTOBUF], message.clone()));
    for answer in futures::future::join_all(calls).await {
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }
    assert_eq!(rig.stored_logs("default"), 3);
    let logs = rig.logs("default");
    assert_eq!((logs.received_rows, logs.stored_rows, logs.deduplicated_rows), (60, 3, 57));
}

#[tokio::test]
async fn a_request_that_was_refused_is_stored_when_it_comes_again() {
    let rig = Rig::new(|_| ()).await;
    let message = request(3).encode_to_vec();
    // The folder of the WAL is away: nothing can be written.
    let wal = rig.folder.path().join("wal");
    std::fs::rename(&wal, rig.folder.path().join("away")).unwrap();
    for _ in 0..2 {
        let answer = rig.post(&[PROTOBUF], message.clone()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "5");
    }
    std::fs::rename(rig.folder.path().join("away"), &wal).unwrap();
    for _ in 0..2 {
        assert_eq!(rig.post(&[PROTOBUF], message.clone()).await.status, StatusCode::OK);
    }
    assert_eq!(rig.stored_logs("default"), 3);
    let logs = rig.logs("default");
    assert_eq!((logs.requests, logs.stored_rows, logs.deduplicated_rows), (4, 3, 3));
}

#[tokio::test]
async fn a_partial_success_is_told_again_as_it_was() {
    // The second time an hour later: what was too far ahead would be let in by then.
    static LATER: AtomicBool = AtomicBool::new(false);
    let change = |options: &mut IngestOptions| {
        options.now_ns = || NOW_NS + i64::from(LATER.load(Ordering::SeqCst)) * 3_600_000_000_000;
    };
    let rig = Rig::new(change).await;
    let mut message = request(4);
    let records = &mut message.resource_logs[0].scope_logs[0].log_records;
    records[1].time_unix_nano = NOW_NS as u64 + 1_800_000_000_000;
    for (later, expected) in
        [(false, "too far ahead"), (false, "too far ahead"), (true, "came first")]
    {
        LATER.store(later, Ordering::SeqCst);
        let answer = rig.post(&[PROTOBUF], message.encode_to_vec()).await;
        let response = ExportLogsServiceResponse::decode(answer.body).unwrap();
        let partial = response.partial_success.unwrap();
        assert_eq!(partial.rejected_log_records, 1);
        assert!(partial.error_message.contains(expected), "{}", partial.error_message);
    }
    assert_eq!(rig.stored_logs("default"), 3);
    let logs = rig.logs("default");
    assert_eq!((logs.received_rows, logs.rejected_rows), (12, 3));
    assert_eq!((logs.stored_rows, logs.deduplicated_rows), (3, 6));
    // What was rejected stays so when the WAL is replayed, however far the bounds are by then.
    let Rig { ingest, store, folder } = rig;
    drop((ingest, store));
    let wide = |options: &mut IngestOptions| {
        options.limits.past_max = Duration::from_secs(1);
        options.limits.ahead_max = Duration::from_secs(86_400);
    };
    let again = Rig::open(folder, wide).await;
    assert_eq!(again.stored_logs("default"), 3);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_in_the_requests_format() {
    let rig = Rig::new(|options| options.limits.inflated_bytes_max = 1_000).await;
    let answer = rig.post(&[PROTOBUF], vec![0xFF; 20]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let status = Status::decode(answer.body).unwrap();
    assert_eq!((status.code, status.details.len()), (3, 0));

    let answer = rig.post(&[JSON], "{").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["code"], 3);

    for headers in
        [vec![("content-type", "text/plain")], vec![], vec![JSON, ("content-encoding", "br")]]
    {
        let answer = rig.post(&headers, "").await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{headers:?}");
    }
    let bomb = gzip(&vec![0; 100_000]);
    let answer = rig.post(&[PROTOBUF, ("content-encoding", "gzip")], bomb).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.header("retry-after"), "");
    let refused = rig.ingest.stats().refused;
    assert!(refused.contains(&(ErrorKind::Unsupported.name(), 3)), "{refused:?}");
    assert!(refused.contains(&(ErrorKind::TooLarge.name(), 1)), "{refused:?}");
}

#[tokio::test]
async fn a_full_budget_asks_to_come_again() {
    let limits = Limits { inflight_bytes_max: 10, ..Limits::default() };
    let rig = Rig::new(|options| options.limits = limits).await;
    let message = request(5).encode_to_vec();
    let answer = rig.post(&[PROTOBUF], message.clone()).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "1");

    let answer = rig.call(&[], frame(0, &message)).await;
    assert_eq!(answer.header("grpc-status"), "8");
    use base64::Engine;
    let details = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(answer.header("grpc-status-details-bin").trim_end_matches('='))
        .unwrap();
    let status = Status::decode(details.as_slice()).unwrap();
    let retry = RetryInfo::decode(status.details[0].value.as_slice()).unwrap();
    assert_eq!((status.code, retry.retry_delay.unwrap().seconds), (8, 1));
    assert_eq!(rig.ingest.stats().inflight_bytes, 0);
}

#[tokio::test]
async fn tenants_are_told_apart_only_if_there_are_several() {
    let message = || request(1).encode_to_vec();
    let single = Rig::new(|_| ()).await;
    let answer = single.post(&[PROTOBUF, ("x-scope-orgid", "../x")], message()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(single.stored_logs("default"), 1);

    let several = Rig::new(|options| options.multi_tenancy = true).await;
    let answer = several.post(&[PROTOBUF, ("x-scope-orgid", "a")], message()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((several.stored_logs("a"), several.stored_logs("default")), (1, 0));
    let answer = several.post(&[PROTOBUF], message()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let answer = several.call(&[], frame(0, &message())).await;
    assert_eq!(answer.header("grpc-status"), "16");
    for tenant in ["..", "a/b", "a|b", "__mimir_cluster", &"x".repeat(151)] {
        let answer = several.post(&[PROTOBUF, ("x-scope-orgid", tenant)], message()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{tenant}");
    }
}

#[tokio::test]
async fn tonics_client_is_understood() {
    let rig = Rig::new(|_| ()).await;
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = LogsServiceClient::new(rig.grpc());
        if let Some(compression) = compression {
            client = client.send_compressed(compression).accept_compressed(compression);
        }
        let response = client.export(request(2)).await.unwrap().into_inner();
        assert_eq!(response.partial_success, None);
    }
    assert_eq!(rig.stored_logs("default"), 6);
}

#[tokio::test]
async fn calls_that_cannot_be_read_have_a_permanent_status() {
    let rig = Rig::new(|options| options.limits.body_bytes_max = 100).await;
    let message = request(1).encode_to_vec();
    let cases = [
        (None, frame(0, &[0xFF; 20]), "3"),
        (None, frame(7, &message), "3"),
        (None, message.clone(), "3"),
        (None, vec![], "3"),
        (Some("gzip"), frame(1, b"nonsense"), "3"),
        (Some("snappy"), frame(1, &message), "12"),
        (None, frame(0, &[0; 101]), "8"),
    ];
    for (encoding, body, expected) in cases {
        let headers: Vec<_> =
            encoding.map(|encoding| ("grpc-encoding", encoding)).into_iter().collect();
        let answer = rig.call(&headers, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("grpc-status"), expected, "{}", answer.header("grpc-message"));
        assert_eq!(answer.header("grpc-status-details-bin"), "");
    }
    let mut client = LogsServiceClient::new(rig.grpc());
    let status = client.export(request(100)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
}
