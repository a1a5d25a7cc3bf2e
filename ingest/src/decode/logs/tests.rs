//! Tests of log records: rows against a slow reference made with prost, and single rules.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1 as proto;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use schemas::model::Signal;
use schemas::tables::Table;
use serde_json::{Value, json};

use crate::body::Format;
use crate::decode::tests::{NOW_NS, Place, attribute, decode_message, rows, string};
use crate::decode::{Decoded, decode};

fn request(resource: Vec<proto::LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![proto::ResourceLogs {
            resource: Some(Resource {
                attributes: vec![
                    string("service.name", "shop"),
                    string("service.namespace", "prod"),
                    string("host.name", "h1"),
                    attribute("process.pid", Any::IntValue(7)),
                ],
                dropped_attributes_count: 1,
                ..Default::default()
            }),
            scope_logs: vec![proto::ScopeLogs {
                scope: Some(InstrumentationScope {
                    name: "lib".into(),
                    version: "1".into(),
                    attributes: vec![attribute("s", Any::BoolValue(true))],
                    dropped_attributes_count: 2,
                }),
                log_records: resource,
                schema_url: "scope-url".into(),
            }],
            schema_url: "resource-url".into(),
        }],
    }
}

fn record() -> proto::LogRecord {
    proto::LogRecord {
        time_unix_nano: NOW_NS as u64,
        observed_time_unix_nano: NOW_NS as u64 + 1,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(AnyValue { value: Some(Any::StringValue("hello".into())) }),
        attributes: vec![
            string("http.route", "/a"),
            attribute("http.response.status_code", Any::IntValue(200)),
            string("user", "u1"),
        ],
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        event_name: "e".into(),
    }
}

/// A request with something of everything.
pub(in crate::decode) fn small_request() -> ExportLogsServiceRequest {
    request(vec![record(), proto::LogRecord::default()])
}

#[test]
fn every_field_has_its_column() {
    let decoded = decode_message(Signal::Logs, &request(vec![record()]));
    let mut row = rows(&decoded, Table::Logs).remove(0);
    let stream_id = row["stream_id"].take();
    let expected = json!({
        "stream_id": null, "time_unix_nano": NOW_NS, "observed_time_unix_nano": NOW_NS + 1,
        "severity_number": 9, "severity_text": "INFO", "body": "hello", "event_name": "e",
        "trace_id": "01".repeat(16), "span_id": "02".repeat(8), "flags": 1,
        "dropped_attributes_count": 3, "attributes": "{\"user\":\"u1\"}",
        "log.http.route": "/a", "log.http.response.status_code": 200,
    });
    assert_eq!(row, expected);
    let streams = rows(&decoded, Table::LogStreams);
    let expected = json!({
        "stream_id": stream_id, "time_unix_nano": NOW_NS,
        "labels": { "service_name": "shop", "service_namespace": "prod" },
        "service_name": "shop", "resource_attributes": "{\"process.pid\":7}",
        "resource_schema_url": "resource-url", "resource_dropped_attributes_count": 1,
        "scope_name": "lib", "scope_version": "1", "scope_attributes": "{\"s\":true}",
        "scope_schema_url": "scope-url", "scope_dropped_attributes_count": 2,
        "resource.service.name": "shop", "resource.service.namespace": "prod",
        "resource.host.name": "h1",
    });
    assert_eq!(streams, [expected]);
}

#[test]
fn an_empty_record_is_received_now() {
    let decoded = decode_message(Signal::Logs, &request(vec![proto::LogRecord::default()]));
    let row = &rows(&decoded, Table::Logs)[0];
    assert_eq!((&row["time_unix_nano"], &row["body"]), (&json!(NOW_NS), &json!("")));
    assert_eq!((row.get("body_type"), row.get("severity_number")), (None, None));
}

#[test]
fn invalid_trace_ids_mean_no_trace() {
    for trace_id in [vec![], vec![1; 15], vec![0; 16]] {
        let decoded =
            decode_message(Signal::Logs, &request(vec![proto::LogRecord { trace_id, ..record() }]));
        assert_eq!(rows(&decoded, Table::Logs)[0].get("trace_id"), None);
    }
}

fn stream_ids(request: &ExportLogsServiceRequest) -> Vec<Value> {
    let decoded = decode_message(Signal::Logs, request);
    rows(&decoded, Table::Logs).iter().map(|row| row["stream_id"].clone()).collect()
}

#[test]
fn whatever_identifies_a_stream_changes_its_id() {
    let original = small_request();
    let id = stream_ids(&original)[0].clone();
    let mut reordered = original.clone();
    reordered.resource_logs[0].resource.as_mut().unwrap().attributes.reverse();
    assert_eq!(stream_ids(&reordered)[0], id);
    let change = |change: &dyn Fn(&mut proto::ResourceLogs)| {
        let mut changed = original.clone();
        change(&mut changed.resource_logs[0]);
        assert_ne!(stream_ids(&changed)[0], id);
    };
    change(&|logs| logs.schema_url.clear());
    change(&|logs| logs.scope_logs[0].schema_url.clear());
    change(&|logs| logs.scope_logs[0].scope.as_mut().unwrap().version.clear());
    change(&|logs| {
        let attributes = &mut logs.resource.as_mut().unwrap().attributes;
        attributes[3] = string("process.pid", "7");
    });
}

#[test]
fn a_stream_has_one_row_a_day_and_none_if_it_is_known() {
    const DAY_NS: u64 = 86_400_000_000_000;
    let yesterday = || proto::LogRecord { time_unix_nano: NOW_NS as u64 - DAY_NS, ..record() };
    let request = request(vec![record(), yesterday(), record(), yesterday()]);
    let decoded = decode_message(Signal::Logs, &request);
    assert_eq!(rows(&decoded, Table::LogStreams).len(), 2);

    let place = Place::default();
    let batch = decoded.batches.iter().find(|batch| batch.table == Table::LogStreams).unwrap();
    place.streams.absorb(&batch.rows).unwrap();
    let context = place.context();
    let bytes = prost::Message::encode_to_vec(&request);
    let again: Decoded = decode(Signal::Logs, Format::Protobuf, &bytes, &context).unwrap();
    assert_eq!(rows(&again, Table::LogStreams).len(), 0);
    assert_eq!(rows(&again, Table::Logs), rows(&decoded, Table::Logs));
}

fn any_record() -> impl Strategy<Value = proto::LogRecord> {
    let times = (0_u64..3, 0_u64..3).prop_map(|(time, observed)| {
        let at = |step: u64| if step == 0 { 0 } else { NOW_NS as u64 - step };
        (at(time), at(observed))
    });
    let body = prop_oneof![
        Just(None),
        ".*".prop_map(|text| Some(Any::StringValue(text))),
        any::<i64>().prop_map(|int| Some(Any::IntValue(int))),
    ];
    let attributes = prop::collection::btree_map("[a-c]|http.route", ".*", 0..4);
    (times, -1..30, ".{0,3}", body, attributes, any::<u32>(), prop::collection::vec(0_u8..2, 16))
        .prop_map(|(times, severity, text, body, attributes, flags, trace_id)| proto::LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: severity,
            severity_text: text,
            body: body.map(|value| AnyValue { value: Some(value) }),
            attributes: attributes.iter().map(|(key, value)| string(key, value)).collect(),
            flags,
            trace_id,
            ..Default::default()
        })
}

/// The row of a record, made the plain way; the stream's id is left out.
fn reference(record: &proto::LogRecord) -> Value {
    let mut row = serde_json::Map::new();
    let observed = record.observed_time_unix_nano as i64;
    let time = match (record.time_unix_nano as i64, observed) {
        (0, 0) => NOW_NS,
        (0, observed) => observed,
        (time, _) => time,
    };
    let mut set = |name: &str, value: Value, is_null: bool| {
        if !is_null {
            row.insert(name.into(), value);
        }
    };
    set("time_unix_nano", time.into(), false);
    set("observed_time_unix_nano", observed.into(), observed == 0);
    set("severity_number", record.severity_number.into(), record.severity_number == 0);
    set("severity_text", record.severity_text.clone().into(), record.severity_text.is_empty());
    let (body, is_json) = match record.body.clone().and_then(|body| body.value) {
        Some(Any::StringValue(text)) => (text, false),
        Some(Any::IntValue(int)) => (int.to_string(), true),
        _ => (String::new(), false),
    };
    set("body", body.into(), false);
    set("body_type", "json".into(), !is_json);
    let is_traced = record.trace_id.iter().any(|byte| *byte != 0);
    set("trace_id", hex::encode(&record.trace_id).into(), !is_traced);
    set("flags", (record.flags as i32).into(), false);
    set("dropped_attributes_count", 0.into(), false);
    let mut rest = serde_json::Map::new();
    for entry in &record.attributes {
        let Some(Any::StringValue(text)) = entry.value.clone().and_then(|value| value.value) else {
            unreachable!("only strings are generated");
        };
        if entry.key == "http.route" {
            set("log.http.route", text.into(), false);
        } else {
            rest.insert(entry.key.clone(), text.into());
        }
    }
    let is_empty = rest.is_empty();
    set("attributes", Value::Object(rest), is_empty);
    Value::Object(row)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_what_a_slow_way_makes(records in prop::collection::vec(any_record(), 0..20)) {
        let decoded = decode_message(Signal::Logs, &request(records.clone()));
        prop_assert_eq!(decoded.received, records.len() as u64);
        let mut made = rows(&decoded, Table::Logs);
        for row in &mut made {
            let row = row.as_object_mut().unwrap();
            row.remove("stream_id");
            if let Some(Value::String(text)) = row.get("attributes").cloned() {
                row.insert("attributes".into(), serde_json::from_str(&text).unwrap());
            }
        }
        let expected: Vec<Value> = records.iter().map(reference).collect();
        prop_assert_eq!(made, expected);
    }
}
