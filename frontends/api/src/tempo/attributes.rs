//! Attributes from their stored form, a JSON object, back to OTLP's typed values.
//!
//! The form is documented at `schemas::tables::columns::ATTRIBUTES`.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Error;

/// The attributes of a stored object, in its order; none of a null.
pub(super) fn parse(stored: Option<&str>) -> Result<Vec<KeyValue>, Error> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let entries: Entries = serde_json::from_str(stored)
        .map_err(|error| Error::internal(format!("stored attributes cannot be read: {error}")))?;
    Ok(entries.0.into_iter().map(|(key, value)| key_value(key, value)).collect())
}

/// An attribute with a text.
pub(super) fn text(key: &str, text: &str) -> KeyValue {
    key_value(key.to_owned(), Some(Value::StringValue(text.to_owned())))
}

/// An attribute with an integer.
pub(super) fn integer(key: &str, integer: i64) -> KeyValue {
    key_value(key.to_owned(), Some(Value::IntValue(integer)))
}

/// An attribute with a double.
pub(super) fn double(key: &str, double: f64) -> KeyValue {
    key_value(key.to_owned(), Some(Value::DoubleValue(double)))
}

/// An attribute that is true or false.
pub(super) fn bool(key: &str, bool: bool) -> KeyValue {
    key_value(key.to_owned(), Some(Value::BoolValue(bool)))
}

fn key_value(key: String, value: Option<Value>) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value }), ..KeyValue::default() }
}

/// The entries of an object in order.
struct Entries(Vec<(String, Option<Value>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Stored>()? {
            entries.push((key, value.0));
        }
        Ok(Entries(entries))
    }
}

/// A stored value; `None` is OTLP's empty value.
struct Stored(Option<Value>);

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StoredVisitor).map(Self)
    }
}

struct StoredVisitor;

impl<'de> Visitor<'de> for StoredVisitor {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an attribute")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::BoolValue(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::IntValue(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        // What is over i64 was not written by us; as a float it is at least near.
        Ok(Some(i64::try_from(value).map_or(Value::DoubleValue(value as f64), Value::IntValue)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::DoubleValue(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::StringValue(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Some(Value::StringValue(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Stored(value)) = seq.next_element()? {
            values.push(AnyValue { value });
        }
        Ok(Some(Value::ArrayValue(ArrayValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Entries(entries) = EntriesVisitor.visit_map(map)?;
        if let [(key, Some(Value::StringValue(text)))] = entries.as_slice()
            && let Some(reserved) = reserved(key, text)
        {
            return Ok(Some(reserved));
        }
        let values = entries.into_iter().map(|(key, value)| {
            let is_escaped = key.starts_with("$$");
            key_value(if is_escaped { key[1..].to_owned() } else { key }, value)
        });
        Ok(Some(Value::KvlistValue(KeyValueList { values: values.collect() })))
    }
}

/// What an object with one reserved key stands for.
fn reserved(key: &str, text: &str) -> Option<Value> {
    match (key, text) {
        ("$bytes", text) => BASE64_STANDARD.decode(text).ok().map(Value::BytesValue),
        ("$double", "NaN") => Some(Value::DoubleValue(f64::NAN)),
        ("$double", "Infinity") => Some(Value::DoubleValue(f64::INFINITY)),
        ("$double", "-Infinity") => Some(Value::DoubleValue(f64::NEG_INFINITY)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
