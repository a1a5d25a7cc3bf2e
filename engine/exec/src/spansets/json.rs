//! Attributes that have no column: one member of a JSON object, without reading the others.
//!
//! The form is documented at `schemas::tables::columns::ATTRIBUTES`. Text that is not of that form
//! has no members; it never makes a query fail.

use std::fmt::Write;

use schemas::tables::object::{blank, members, special_double, unquoted, value_end, write_text};

use super::value::{KIND_NAMES, STATUS_NAMES, Value};

/// How deep arrays are read.
const DEPTH_MAX: usize = 16;

/// The value of one member; absent if the object has none or it is `null`.
pub(super) fn member<'a>(object: &'a str, key: &str) -> Value<'a> {
    match members(object).find(|member| member.key == key) {
        Some(member) => parsed(member.value),
        None => Value::Absent,
    }
}

/// The value that a JSON text stands for.
pub(super) fn parsed(text: &str) -> Value<'_> {
    parsed_at(text, 0)
}

fn parsed_at(text: &str, depth: usize) -> Value<'_> {
    match text.as_bytes().first() {
        Some(b'"') => unquoted(text).map_or(Value::Absent, Value::Text),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'[') if depth < DEPTH_MAX => Value::Array(items(text, depth)),
        Some(b'{') => special_double(text).map_or(Value::Opaque(text), Value::Float),
        Some(b'-' | b'0'..=b'9') => {
            let is_double = text.contains(['.', 'e', 'E']);
            let whole = if is_double { None } else { text.parse().ok() };
            whole
                .map(Value::Int)
                .or_else(|| text.parse().ok().map(Value::Float))
                .unwrap_or(Value::Absent)
        }
        _ => Value::Absent,
    }
}

fn items(text: &str, depth: usize) -> Vec<Value<'_>> {
    let bytes = text.as_bytes();
    let mut items = Vec::new();
    let mut at = blank(text, 1);
    while let Some(end) = value_end(bytes, at) {
        items.push(text.get(at..end).map_or(Value::Absent, |item| parsed_at(item, depth + 1)));
        at = blank(text, end);
        if bytes.get(at) != Some(&b',') {
            break;
        }
        at = blank(text, at + 1);
    }
    items
}

/// Whether a text stands in JSON as it is, so that it can be searched for byte by byte.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'/'))
}

/// Writes `"key":value`; nothing for a value that is absent.
pub(super) fn write_member(out: &mut String, key: &str, value: &Value<'_>) {
    if *value == Value::Absent {
        return;
    }
    if !out.is_empty() {
        out.push(',');
    }
    write_text(out, key);
    out.push(':');
    write_value(out, value);
}

fn write_value(out: &mut String, value: &Value<'_>) {
    let _ = match value {
        Value::Absent => write!(out, "null"),
        Value::Text(text) => {
            write_text(out, text);
            Ok(())
        }
        Value::Int(value) | Value::Duration(value) => write!(out, "{value}"),
        Value::Float(value) if value.is_nan() => write!(out, "{{\"$double\":\"NaN\"}}"),
        Value::Float(f64::INFINITY) => write!(out, "{{\"$double\":\"Infinity\"}}"),
        Value::Float(f64::NEG_INFINITY) => write!(out, "{{\"$double\":\"-Infinity\"}}"),
        Value::Float(value) => write!(out, "{value:?}"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Status(code) => write!(out, "\"{}\"", name_of(&STATUS_NAMES, *code)),
        Value::Kind(code) => write!(out, "\"{}\"", name_of(&KIND_NAMES, *code)),
        Value::Opaque(text) => write!(out, "{text}"),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                out.push(if at == 0 { '[' } else { ',' });
                write_value(out, item);
            }
            write!(out, "{}", if items.is_empty() { "[]" } else { "]" })
        }
    };
}

/// The name of a code; unknown codes have that of code 0.
pub(super) fn name_of(names: &[&'static str], code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| names.get(code)).copied().unwrap_or(names[0])
}
