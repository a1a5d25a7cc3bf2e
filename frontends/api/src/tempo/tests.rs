//! Protobuf answers.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span, Status};

use super::*;

#[test]
fn messages_that_grafana_reads_are_present_even_if_empty() {
    let span = Span { status: Some(Status::default()), ..Span::default() };
    let spans = ResourceSpans {
        resource: Some(Resource::default()),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope::default()),
            spans: vec![span],
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    };
    let trace = Some(TracesData { resource_spans: vec![spans] });
    let bytes = TraceByIdResponse { trace, metrics: Some(Empty {}) }.encode_to_vec();
    let expected = [
        // trace ─ resource spans ─ resource, scope spans ─ scope, span ─ status, metrics
        &[0x0a, 0x0c][..],
        &[0x0a, 0x0a],
        &[0x0a, 0x00],
        &[0x12, 0x06],
        &[0x0a, 0x00],
        &[0x12, 0x02],
        &[0x7a, 0x00],
        &[0x12, 0x00],
    ];
    assert_eq!(bytes, expected.concat());
}
