//! OTLP from friend and foe: every encoding is taken in, bad requests are refused by the right
//! name, and the process lives.

use std::io::Write;

use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message;
use serde_json::json;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::ask::lines;
use crate::program::Program;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// More than the default limit of a body as received, in bytes; so little more that a client has
/// written all of it when it is refused, and reads the answer.
const TOO_LONG_BYTES: usize = (20 << 20) + (64 << 10);

/// More than any limit of a request, in bytes.
const OVERSIZED_BYTES: usize = 80 << 20;

/// A name, a body, the headers beside the usual ones, and the expected status.
type Case = (&'static str, Vec<u8>, &'static [(&'static str, &'static str)], u16);

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[tokio::test(flavor = "multi_thread")]
async fn every_encoding_is_taken_in() {
    let program = Program::start(&[]).await;
    let variants: [(&str, &str, &str); 6] = [
        ("protobuf", PROTOBUF, ""),
        ("protobuf gzip", PROTOBUF, "gzip"),
        ("protobuf zstd", PROTOBUF, "zstd"),
        ("json", JSON, ""),
        ("json gzip", JSON, "gzip"),
        ("json zstd", JSON, "zstd"),
    ];
    for (name, content_type, encoding) in variants {
        let plain = if content_type == JSON { json_logs(name) } else { logs(name).encode_to_vec() };
        let body = compress(&plain, encoding);
        let mut headers = vec![("content-type", content_type)];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        let answer = program.post_otlp("logs", body, &headers).await;
        assert_eq!(answer.status(), 200, "{name}: {}", answer.text().await.unwrap());
        assert_eq!(answer.headers()["content-type"], content_type, "answers are in kind");
    }
    let client = LogsServiceClient::new(channel(&program).await);
    client.clone().export(logs("grpc")).await.unwrap();
    client
        .clone()
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip)
        .export(logs("grpc gzip"))
        .await
        .unwrap();
    client
        .clone()
        .send_compressed(CompressionEncoding::Zstd)
        .export(logs("grpc zstd"))
        .await
        .unwrap();

    let mut expected: Vec<&str> = variants.iter().map(|(name, ..)| *name).collect();
    expected.extend(["grpc", "grpc gzip", "grpc zstd"]);
    expected.sort_unstable();
    assert_eq!(stored(&program).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_by_name_and_the_process_lives() {
    let mut program = Program::start(&[]).await;
    let bomb = compress(&vec![0; OVERSIZED_BYTES], "gzip");
    let cases: [Case; 7] = [
        ("not protobuf", vec![0xff; 100], &[], 400),
        ("cut protobuf", cut(logs("cut").encode_to_vec()), &[], 400),
        ("not JSON", b"{\"resourceLogs\":[".to_vec(), &[("content-type", JSON)], 400),
        ("JSON of another shape", b"[1, 2]".to_vec(), &[("content-type", JSON)], 400),
        ("not gzip", b"plain".to_vec(), &[("content-encoding", "gzip")], 400),
        ("an unknown type", b"a=b".to_vec(), &[("content-type", "text/plain")], 415),
        ("too long when inflated", bomb, &[("content-encoding", "gzip")], 413),
    ];
    for signal in ["logs", "metrics", "traces"] {
        for (name, body, headers, expected) in &cases {
            let answer = program.post_otlp(signal, body.clone(), headers).await;
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            assert_eq!(status, *expected, "{signal}: {name}: {text}");
        }
        let answer = program.post_otlp(signal, vec![0; TOO_LONG_BYTES], &[]).await;
        assert_eq!(answer.status(), 413, "{signal}: too long");
    }
    assert_eq!(garbage(&program).await.code(), Code::InvalidArgument);
    let huge =
        telemetry::logs("huge", vec![telemetry::log(now_ns(), &"x".repeat(OVERSIZED_BYTES))]);
    let mut client = LogsServiceClient::new(channel(&program).await);
    assert_eq!(client.export(huge).await.unwrap_err().code(), Code::ResourceExhausted);

    program.send("logs", &logs("after all that")).await;
    assert_eq!(stored(&program).await, ["after all that"]);
    assert!(program.lives(), "{}", program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_stored_is_stored_and_the_rest_is_told() {
    let program = Program::start(&[]).await;
    let long_ago = now_ns() - 30 * 86_400 * SECOND_NS;
    let records = vec![telemetry::log(now_ns(), "good"), telemetry::log(long_ago, "too old")];
    let body = telemetry::logs("strict", records).encode_to_vec();
    let answer = program.post_otlp("logs", body, &[]).await;
    assert_eq!(answer.status(), 200);
    let answer = ExportLogsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    let partial = answer.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_log_records, 1);
    assert!(!partial.error_message.is_empty());
    assert_eq!(stored(&program).await, ["good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request_is_a_success() {
    let program = Program::start(&[]).await;
    for signal in ["logs", "metrics", "traces"] {
        assert_eq!(program.post_otlp(signal, Vec::new(), &[]).await.status(), 200, "{signal}");
    }
}

fn logs(body: &str) -> ExportLogsServiceRequest {
    telemetry::logs("strict", vec![telemetry::log(now_ns(), body)])
}

fn json_logs(body: &str) -> Vec<u8> {
    let attributes = json!([{"key": "service.name", "value": {"stringValue": "strict"}}]);
    let record = json!({
        "timeUnixNano": now_ns().to_string(),
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": body},
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "attributes": [{"key": "n", "value": {"intValue": "7"}}],
    });
    let scope_logs = json!([{"scope": {"name": "test"}, "logRecords": [record]}]);
    let request = json!({"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": scope_logs}]});
    serde_json::to_vec(&request).unwrap()
}

fn compress(body: &[u8], encoding: &str) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(body, 3).unwrap(),
        _ => body.to_vec(),
    }
}

fn cut(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() - 3);
    body
}

/// Bodies of the service's records of the last minutes.
async fn stored(program: &Program) -> Vec<String> {
    let now = now_ns();
    let range = (now - 300 * SECOND_NS, now + 60 * SECOND_NS);
    lines(&program.logql("{service_name=\"strict\"}", range.0, range.1).await)
}

async fn channel(program: &Program) -> Channel {
    Channel::from_shared(program.url("")).unwrap().connect().await.unwrap()
}

/// A message whose first field has the type of a request's first field and none of its form.
#[derive(Clone, PartialEq, Message)]
struct Garbage {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

async fn garbage(program: &Program) -> Status {
    let mut client = tonic::client::Grpc::new(channel(program).await);
    client.ready().await.unwrap();
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let codec = tonic_prost::ProstCodec::<Garbage, ExportLogsServiceResponse>::default();
    let request = Request::new(Garbage { bytes: vec![0xff; 32] });
    client.unary(request, PathAndQuery::from_static(path), codec).await.unwrap_err()
}
