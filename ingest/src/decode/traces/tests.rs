//! Tests of spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as proto;
use proptest::prelude::*;
use schemas::model::Signal;
use schemas::tables::Table;
use serde_json::{Value, json};

use crate::decode::tests::{NOW_NS, attribute, decode_message, rows, string};

fn request(spans: Vec<proto::Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    string("service.name", "shop"),
                    string("service.version", "1.2"),
                    string("os.type", "linux"),
                ],
                dropped_attributes_count: 4,
                ..Default::default()
            }),
            scope_spans: vec![proto::ScopeSpans {
                scope: Some(InstrumentationScope { name: "lib".into(), ..Default::default() }),
                spans,
                schema_url: "scope-url".into(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn span() -> proto::Span {
    proto::Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".into(),
        parent_span_id: vec![3; 8],
        flags: 0x101,
        name: "GET /".into(),
        kind: 2,
        start_time_unix_nano: NOW_NS as u64,
        end_time_unix_nano: NOW_NS as u64 + 5,
        attributes: vec![
            attribute("http.response.status_code", Any::IntValue(500)),
            // Another type than the column's stays with the rest.
            attribute("http.route", Any::IntValue(1)),
            string("url.full", "http://x/"),
        ],
        dropped_attributes_count: 1,
        events: vec![proto::span::Event {
            time_unix_nano: NOW_NS as u64 + 1,
            name: "exception".into(),
            attributes: vec![string("exception.type", "E")],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![proto::span::Link {
            trace_id: vec![4; 16],
            span_id: vec![5; 8],
            trace_state: String::new(),
            attributes: vec![],
            dropped_attributes_count: 5,
            flags: 1,
        }],
        dropped_links_count: 6,
        status: Some(proto::Status { message: "bad".into(), code: 2 }),
    }
}

/// A request with something of everything.
pub(in crate::decode) fn small_request() -> ExportTraceServiceRequest {
    request(vec![span()])
}

#[test]
fn every_field_has_its_column() {
    let decoded = decode_message(Signal::Traces, &small_request());
    let expected = json!({
        "trace_id": "01".repeat(16), "span_id": "02".repeat(8), "parent_span_id": "03".repeat(8),
        "start_time_unix_nano": NOW_NS, "duration_nano": 5, "service_name": "shop",
        "name": "GET /", "kind": 2, "status_code": 2, "status_message": "bad",
        "trace_state": "a=b", "flags": 0x101, "attributes": "{\"http.route\":1}",
        "dropped_attributes_count": 1, "dropped_events_count": 3, "dropped_links_count": 6,
        "events": [{
            "time_unix_nano": NOW_NS + 1, "name": "exception",
            "attributes": "{\"exception.type\":\"E\"}", "dropped_attributes_count": 2,
        }],
        "links": [{
            "trace_id": "04".repeat(16), "span_id": "05".repeat(8),
            "dropped_attributes_count": 5, "flags": 1,
        }],
        "resource_attributes": "{\"os.type\":\"linux\"}", "resource_dropped_attributes_count": 4,
        "resource.service.version": "1.2",
        "scope_name": "lib", "scope_schema_url": "scope-url", "scope_dropped_attributes_count": 0,
        "span.http.response.status_code": 500, "span.url.full": "http://x/",
    });
    assert_eq!(rows(&decoded, Table::Spans), [expected]);
}

#[test]
fn a_rejected_span_leaves_nothing_behind() {
    let bad_link = proto::span::Link { trace_id: vec![1; 3], ..Default::default() };
    let spans = vec![
        span(),
        proto::Span { links: vec![bad_link], ..span() },
        proto::Span { trace_id: vec![0; 16], ..span() },
        proto::Span { span_id: vec![1; 7], ..span() },
        proto::Span { parent_span_id: vec![1; 7], ..span() },
        proto::Span { start_time_unix_nano: u64::MAX, ..span() },
        span(),
    ];
    let decoded = decode_message(Signal::Traces, &request(spans));
    assert_eq!((decoded.received, decoded.rejections.count()), (7, 5));
    let alone = rows(&decode_message(Signal::Traces, &small_request()), Table::Spans);
    let made = rows(&decoded, Table::Spans);
    assert_eq!(made, [alone[0].clone(), alone[0].clone()]);
    let message = decoded.rejections.message().unwrap();
    assert!(message.contains("trace id of a link has 3 bytes instead of 16"), "{message}");
}

#[test]
fn roots_and_spans_that_end_early() {
    let root = proto::Span { parent_span_id: vec![0; 8], end_time_unix_nano: 1, ..span() };
    let row = &rows(&decode_message(Signal::Traces, &request(vec![root])), Table::Spans)[0];
    assert_eq!((row.get("parent_span_id"), &row["duration_nano"]), (None, &json!(0)));
}

#[test]
fn a_service_without_a_name_is_unknown() {
    let mut request = small_request();
    request.resource_spans[0].resource = None;
    let row = &rows(&decode_message(Signal::Traces, &request), Table::Spans)[0];
    assert_eq!(row["service_name"], "unknown_service");
    assert_eq!(row.get("resource_attributes"), None);
    let resource = Resource {
        attributes: vec![string("service.name", "unknown_service")],
        ..Default::default()
    };
    request.resource_spans[0].resource = Some(resource);
    let row = &rows(&decode_message(Signal::Traces, &request), Table::Spans)[0];
    assert_eq!(row["resource_attributes"], r#"{"service.name":"unknown_service"}"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_stay_with_their_spans(
        spans in prop::collection::vec((prop::collection::vec(".{0,3}", 0..4), ".{0,3}"), 0..10),
    ) {
        let sent: Vec<proto::Span> = spans
            .iter()
            .map(|(events, name)| proto::Span {
                name: name.clone(),
                events: events
                    .iter()
                    .map(|name| proto::span::Event { name: name.clone(), ..Default::default() })
                    .collect(),
                links: Vec::new(),
                ..span()
            })
            .collect();
        let made = rows(&decode_message(Signal::Traces, &request(sent)), Table::Spans);
        prop_assert_eq!(made.len(), spans.len());
        for (row, (events, name)) in made.iter().zip(&spans) {
            prop_assert_eq!(&row["name"], name);
            let names: Vec<&Value> = row
                .get("events")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|event| &event["name"])
                .collect();
            prop_assert_eq!(names, events.iter().collect::<Vec<_>>());
        }
    }
}
