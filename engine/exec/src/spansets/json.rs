//! Attributes that have no column: one member of a JSON object, without reading the others.
//!
//! The form is documented at `schemas::tables::columns::ATTRIBUTES`. Text that is not of that form
//! has no members; it never makes a query fail.

use std::borrow::Cow;
use std::fmt::Write;

use super::value::{KIND_NAMES, STATUS_NAMES, Value};

/// How deep arrays are read.
const DEPTH_MAX: usize = 16;

/// The members of an object in their order: decoded key, JSON text of the value.
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

/// The members of the object that `text` is.
pub(super) fn members(text: &str) -> Members<'_> {
    let at = blank(text, 0);
    let at = if text.as_bytes().get(at) == Some(&b'{') { at + 1 } else { text.len() };
    Members { text, at }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = blank(self.text, self.at);
        if bytes.get(at) == Some(&b',') {
            at = blank(self.text, at + 1);
        }
        // Whatever is not a member ends the object.
        self.at = self.text.len();
        let key_end = string_end(bytes, at)?;
        let colon = blank(self.text, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let start = blank(self.text, colon + 1);
        let end = value_end(bytes, start)?;
        let key = decoded(self.text.get(at..key_end)?)?;
        let value = self.text.get(start..end)?;
        self.at = end;
        Some((key, value))
    }
}

/// The value of one member; absent if the object has none or it is `null`.
pub(super) fn member<'a>(object: &'a str, key: &str) -> Value<'a> {
    match members(object).find(|(found, _)| found == key) {
        Some((_, value)) => parsed(value),
        None => Value::Absent,
    }
}

/// The value that a JSON text stands for.
pub(super) fn parsed(text: &str) -> Value<'_> {
    parsed_at(text, 0)
}

fn parsed_at(text: &str, depth: usize) -> Value<'_> {
    match text.as_bytes().first() {
        Some(b'"') => decoded(text).map_or(Value::Absent, Value::Text),
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

/// The doubles that JSON has no number for.
fn special_double(text: &str) -> Option<f64> {
    let (key, value) = members(text).next()?;
    if key != "$double" {
        return None;
    }
    match value {
        "\"NaN\"" => Some(f64::NAN),
        "\"Infinity\"" => Some(f64::INFINITY),
        "\"-Infinity\"" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn blank(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The end of the string that starts at `at`, behind its closing quote.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The end of the value that starts at `at`.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => return string_end(bytes, at),
        b'{' | b'[' => {}
        b',' | b'}' | b']' | b':' => return None,
        _ => {
            let end = bytes[at..]
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']'));
            return Some(end.map_or(bytes.len(), |end| at + end));
        }
    }
    let mut depth = 0_usize;
    let mut at = at;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The text of a JSON string with its quotes.
fn decoded(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(quoted).ok().map(Cow::Owned)
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

fn write_text(out: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(_) => out.push_str("\"\""),
    }
}

/// The name of a code; unknown codes have that of code 0.
pub(super) fn name_of(names: &[&'static str], code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| names.get(code)).copied().unwrap_or(names[0])
}
