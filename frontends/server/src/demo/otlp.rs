//! Short constructors for the parts of OTLP messages.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::common::v1::{ArrayValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Nanoseconds of a second.
pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// A text attribute.
pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

/// A whole-number attribute.
pub(super) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

/// A floating-point attribute.
pub(super) fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, any_value::Value::DoubleValue(value))
}

/// A yes-or-no attribute.
pub(super) fn switch(key: &str, value: bool) -> KeyValue {
    attribute(key, any_value::Value::BoolValue(value))
}

/// An attribute that is a list of texts.
pub(super) fn list(key: &str, values: &[&str]) -> KeyValue {
    let values = values.iter().map(|value| body(value)).collect();
    attribute(key, any_value::Value::ArrayValue(ArrayValue { values }))
}

/// A text value, as in the body of a log record.
pub(super) fn body(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) }
}

/// A resource of these attributes.
pub(super) fn resource(attributes: Vec<KeyValue>) -> Resource {
    Resource { attributes, ..Resource::default() }
}

/// The scope that the demo's telemetry is recorded by.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "siglake.demo".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
