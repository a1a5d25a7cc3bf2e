//! OTLP messages as Tempo's JSON: Protobuf's JSON mapping with default values left out, 64-bit
//! integers as texts, enums by name, and ids, as all bytes, in base64.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::json::{push, separate, write_key, write_text};

/// Appends `[…]`, the resource spans of a trace.
pub(super) fn write_resource_spans(out: &mut String, all: &[ResourceSpans]) {
    write_list(out, all, |out, spans| {
        if let Some(resource) = &spans.resource {
            write_key(out, "resource");
            write_resource(out, resource);
        }
        write_repeated(out, "scopeSpans", &spans.scope_spans, write_scope_spans);
        write_string(out, "schemaUrl", &spans.schema_url);
    });
}

/// Appends `[{"key":…,"value":{…}},…]`.
pub(super) fn write_attributes(out: &mut String, attributes: &[KeyValue]) {
    write_list(out, attributes, write_key_value);
}

fn write_resource(out: &mut String, resource: &Resource) {
    out.push('{');
    write_repeated(out, "attributes", &resource.attributes, write_key_value);
    write_count(out, "droppedAttributesCount", resource.dropped_attributes_count);
    out.push('}');
}

fn write_scope_spans(out: &mut String, spans: &ScopeSpans) {
    if let Some(scope) = &spans.scope {
        write_key(out, "scope");
        write_scope(out, scope);
    }
    write_repeated(out, "spans", &spans.spans, write_span);
    write_string(out, "schemaUrl", &spans.schema_url);
}

fn write_scope(out: &mut String, scope: &InstrumentationScope) {
    out.push('{');
    write_string(out, "name", &scope.name);
    write_string(out, "version", &scope.version);
    write_repeated(out, "attributes", &scope.attributes, write_key_value);
    write_count(out, "droppedAttributesCount", scope.dropped_attributes_count);
    out.push('}');
}

fn write_span(out: &mut String, span: &Span) {
    write_bytes(out, "traceId", &span.trace_id);
    write_bytes(out, "spanId", &span.span_id);
    write_string(out, "traceState", &span.trace_state);
    write_bytes(out, "parentSpanId", &span.parent_span_id);
    write_count(out, "flags", span.flags);
    write_string(out, "name", &span.name);
    if span.kind != 0 {
        let kind = SpanKind::try_from(span.kind).map(|kind| kind.as_str_name());
        write_enum(out, "kind", kind.ok(), span.kind);
    }
    write_long(out, "startTimeUnixNano", span.start_time_unix_nano);
    write_long(out, "endTimeUnixNano", span.end_time_unix_nano);
    write_repeated(out, "attributes", &span.attributes, write_key_value);
    write_count(out, "droppedAttributesCount", span.dropped_attributes_count);
    write_repeated(out, "events", &span.events, write_event);
    write_count(out, "droppedEventsCount", span.dropped_events_count);
    write_repeated(out, "links", &span.links, write_link);
    write_count(out, "droppedLinksCount", span.dropped_links_count);
    if let Some(status) = &span.status {
        write_key(out, "status");
        write_status(out, status);
    }
}

fn write_status(out: &mut String, status: &Status) {
    out.push('{');
    write_string(out, "message", &status.message);
    if status.code != 0 {
        let code = StatusCode::try_from(status.code).map(|code| code.as_str_name());
        write_enum(out, "code", code.ok(), status.code);
    }
    out.push('}');
}

fn write_event(out: &mut String, event: &Event) {
    write_long(out, "timeUnixNano", event.time_unix_nano);
    write_string(out, "name", &event.name);
    write_repeated(out, "attributes", &event.attributes, write_key_value);
    write_count(out, "droppedAttributesCount", event.dropped_attributes_count);
}

fn write_link(out: &mut String, link: &Link) {
    write_bytes(out, "traceId", &link.trace_id);
    write_bytes(out, "spanId", &link.span_id);
    write_string(out, "traceState", &link.trace_state);
    write_repeated(out, "attributes", &link.attributes, write_key_value);
    write_count(out, "droppedAttributesCount", link.dropped_attributes_count);
    write_count(out, "flags", link.flags);
}

fn write_key_value(out: &mut String, attribute: &KeyValue) {
    write_string(out, "key", &attribute.key);
    if let Some(value) = &attribute.value {
        write_key(out, "value");
        write_any_value(out, value);
    }
}

fn write_any_value(out: &mut String, value: &AnyValue) {
    out.push('{');
    match &value.value {
        None => {}
        Some(Value::StringValue(text)) => {
            write_key(out, "stringValue");
            write_text(out, text);
        }
        Some(Value::BoolValue(value)) => push(out, format_args!("\"boolValue\":{value}")),
        Some(Value::IntValue(value)) => push(out, format_args!("\"intValue\":\"{value}\"")),
        Some(Value::DoubleValue(value)) => {
            write_key(out, "doubleValue");
            write_double(out, *value);
        }
        Some(Value::ArrayValue(array)) => {
            out.push_str("\"arrayValue\":{");
            if !array.values.is_empty() {
                out.push_str("\"values\":[");
                for value in &array.values {
                    separate(out);
                    write_any_value(out, value);
                }
                out.push(']');
            }
            out.push('}');
        }
        Some(Value::KvlistValue(map)) => {
            out.push_str("\"kvlistValue\":{");
            write_repeated(out, "values", &map.values, write_key_value);
            out.push('}');
        }
        Some(Value::BytesValue(bytes)) => {
            write_key(out, "bytesValue");
            write_base64(out, bytes);
        }
        // Only profiles have a table of strings to look into.
        Some(Value::StringValueStrindex(_)) => {}
    }
    out.push('}');
}

fn write_double(out: &mut String, value: f64) {
    if value.is_finite() {
        let mut buffer = zmij::Buffer::new();
        let digits = buffer.format_finite(value);
        out.push_str(digits.strip_suffix(".0").unwrap_or(digits));
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

fn write_list<T>(out: &mut String, items: &[T], write: fn(&mut String, &T)) {
    out.push('[');
    for item in items {
        separate(out);
        out.push('{');
        write(out, item);
        out.push('}');
    }
    out.push(']');
}

fn write_repeated<T>(out: &mut String, name: &str, items: &[T], write: fn(&mut String, &T)) {
    if !items.is_empty() {
        write_key(out, name);
        write_list(out, items, write);
    }
}

fn write_string(out: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        write_key(out, name);
        write_text(out, text);
    }
}

fn write_bytes(out: &mut String, name: &str, bytes: &[u8]) {
    if !bytes.is_empty() {
        write_key(out, name);
        write_base64(out, bytes);
    }
}

fn write_base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    BASE64_STANDARD.encode_string(bytes, out);
    out.push('"');
}

fn write_count(out: &mut String, name: &str, count: u32) {
    if count != 0 {
        write_key(out, name);
        push(out, format_args!("{count}"));
    }
}

fn write_long(out: &mut String, name: &str, number: u64) {
    if number != 0 {
        write_key(out, name);
        push(out, format_args!("\"{number}\""));
    }
}

fn write_enum(out: &mut String, name: &str, value: Option<&str>, number: i32) {
    write_key(out, name);
    match value {
        Some(value) => write_text(out, value),
        None => push(out, format_args!("{number}")),
    }
}

#[cfg(test)]
mod tests;
