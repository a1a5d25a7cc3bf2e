//! Attributes: key-value lists → JSON object text, labels' texts, and typed columns.
//!
//! Values stay undecoded slices of the request until they are written where they belong. The
//! form of the JSON is the contract at `schemas::tables::columns::ATTRIBUTES`.

use std::borrow::Cow;
use std::fmt::Write;

use ahash::AHashMap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemas::tables::object::{write_escaped, write_text};

use super::Failure;
use super::envelope::Resource;
use super::wire::{Fields, Malformed};
use crate::admit::{Reason, Rejection};
use crate::limits::{Limits, VALUE_DEPTH_MAX};

/// A key and its value, still as sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyValue<'a> {
    /// The key as sent.
    pub(crate) key: &'a str,
    /// The bytes of the value's message, or of this whole message if that has several values.
    bytes: &'a [u8],
    is_whole: bool,
}

/// A decoded value; of arrays and maps the messages of their items.
#[derive(Clone, Debug, Default)]
pub(crate) enum AnyValue<'a> {
    /// No value.
    #[default]
    Empty,
    /// A string.
    Text(&'a str),
    /// A bool.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// An `ArrayValue` message.
    Array(Cow<'a, [u8]>),
    /// A `KeyValueList` message.
    Map(Cow<'a, [u8]>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> KeyValue<'a> {
    /// Reads the key; the value is only measured.
    fn read(message: &'a [u8], limits: &Limits) -> Result<Self, Failure> {
        let mut fields = Fields::new(message);
        let mut key: &[u8] = &[];
        let mut read = Self { key: "", bytes: &[], is_whole: false };
        let mut values = 0;
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => key = value.bytes()?,
                2 => {
                    read.bytes = value.bytes()?;
                    values += 1;
                }
                _ => {}
            }
        }
        if values > 1 {
            read.bytes = message;
            read.is_whole = true;
        }
        read.key = utf8(key, "an attribute's key")?;
        if key.len() > limits.attribute_key_bytes_max {
            let max = limits.attribute_key_bytes_max;
            let message = format!("an attribute's key has {} bytes, limit {max}", key.len());
            return Err(Rejection::new(Reason::Attributes, message).into());
        }
        if read.bytes.len() > limits.attribute_value_bytes_max {
            let (key, max) = (read.key, limits.attribute_value_bytes_max);
            let bytes = read.bytes.len();
            let message = format!("the value of attribute {key:?} has {bytes} bytes, limit {max}");
            return Err(Rejection::new(Reason::Attributes, message).into());
        }
        Ok(read)
    }

    /// The value, decoded.
    pub(crate) fn value(&self) -> Result<AnyValue<'a>, Failure> {
        let mut any = AnyValue::Empty;
        if !self.is_whole {
            any.merge(self.bytes)?;
            return Ok(any);
        }
        let mut fields = Fields::new(self.bytes);
        while let Some((field, value)) = fields.next()? {
            if field == 2 {
                any.merge(value.bytes()?)?;
            }
        }
        Ok(any)
    }
}

impl<'a> AnyValue<'a> {
    /// Takes over what an `AnyValue` message says; lists that meet are joined.
    pub(crate) fn merge(&mut self, message: &'a [u8]) -> Result<(), Failure> {
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            *self = match field {
                1 => Self::Text(utf8(value.bytes()?, "an attribute's value")?),
                2 => Self::Bool(value.bool()?),
                3 => Self::Int(value.varint()? as i64),
                4 => Self::Double(value.double()?),
                5 => match std::mem::take(self) {
                    Self::Array(items) => Self::Array(joined(items, value.bytes()?)),
                    _ => Self::Array(Cow::Borrowed(value.bytes()?)),
                },
                6 => match std::mem::take(self) {
                    Self::Map(items) => Self::Map(joined(items, value.bytes()?)),
                    _ => Self::Map(Cow::Borrowed(value.bytes()?)),
                },
                7 => Self::Bytes(value.bytes()?),
                _ => continue,
            }
        }
        Ok(())
    }
}

/// Two occurrences of a message, one after the other, are their merged message.
fn joined<'a>(first: Cow<'a, [u8]>, second: &'a [u8]) -> Cow<'a, [u8]> {
    if first.is_empty() {
        return Cow::Borrowed(second);
    }
    let mut both = first.into_owned();
    both.extend_from_slice(second);
    Cow::Owned(both)
}

/// Bytes as text; `what` stands in the rejection.
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("{what} is not UTF-8 from its byte {at} on");
        Rejection::new(Reason::NotUtf8, message).into()
    })
}

/// Adds one `KeyValue` message to `list`.
pub(crate) fn push<'a>(
    list: &mut Vec<KeyValue<'a>>,
    message: &'a [u8],
    limits: &Limits,
) -> Result<(), Failure> {
    if list.len() >= limits.attributes_max {
        let message = format!("more than {} attributes, the limit", limits.attributes_max);
        return Err(Rejection::new(Reason::Attributes, message).into());
    }
    list.push(KeyValue::read(message, limits)?);
    Ok(())
}

/// Lists up to this length are searched for equal keys pair by pair.
const PAIRWISE_MAX: usize = 16;

/// Makes keys unique: the last value of a key wins, at the place of its first.
pub(crate) fn dedup(list: &mut Vec<KeyValue<'_>>) {
    let mut kept = 0;
    if list.len() <= PAIRWISE_MAX {
        for i in 0..list.len() {
            let entry = list[i];
            match list[..kept].iter_mut().find(|earlier| earlier.key == entry.key) {
                Some(earlier) => *earlier = entry,
                None => {
                    list[kept] = entry;
                    kept += 1;
                }
            }
        }
    } else {
        let mut places = AHashMap::with_capacity(list.len());
        for i in 0..list.len() {
            let entry = list[i];
            let place = *places.entry(entry.key).or_insert(kept);
            list[place] = entry;
            kept = kept.max(place + 1);
        }
    }
    list.truncate(kept);
}

/// Appends one member to the JSON object that `out` is being filled with; `out` is empty before
/// the first. [`close_object`] ends it.
pub(crate) fn write_member(out: &mut String, key: &str, value: &AnyValue) -> Result<(), Failure> {
    out.push(if out.is_empty() { '{' } else { ',' });
    write_text(out, key);
    out.push(':');
    write_value(out, value, 1)
}

/// Ends an object of [`write_member`]; no members make no object.
pub(crate) fn close_object(out: &mut String) {
    if !out.is_empty() {
        out.push('}');
    }
}

/// Writes all of `list` as a JSON object; nothing if it is empty.
pub(crate) fn write_object(out: &mut String, list: &[KeyValue<'_>]) -> Result<(), Failure> {
    for entry in list {
        write_member(out, entry.key, &entry.value()?)?;
    }
    close_object(out);
    Ok(())
}

/// Appends a value as JSON.
pub(crate) fn write_value(
    out: &mut String,
    value: &AnyValue<'_>,
    depth: usize,
) -> Result<(), Failure> {
    match value {
        AnyValue::Empty => out.push_str("null"),
        AnyValue::Text(text) => write_text(out, text),
        AnyValue::Bool(true) => out.push_str("true"),
        AnyValue::Bool(false) => out.push_str("false"),
        AnyValue::Int(int) => write_int(out, *int),
        AnyValue::Double(double) => write_double(out, *double),
        AnyValue::Bytes(bytes) => {
            out.push_str("{\"$bytes\":\"");
            BASE64_STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        AnyValue::Array(items) => write_array(out, items, deeper(depth)?)?,
        AnyValue::Map(entries) => write_map(out, entries, deeper(depth)?)?,
    }
    Ok(())
}

/// One level deeper than `depth`, if that is not too deep.
pub(crate) fn deeper(depth: usize) -> Result<usize, Failure> {
    if depth >= VALUE_DEPTH_MAX {
        let message = format!("a value is nested more than {VALUE_DEPTH_MAX} deep, the limit");
        return Err(Rejection::new(Reason::Attributes, message).into());
    }
    Ok(depth + 1)
}

fn write_array(out: &mut String, items: &[u8], depth: usize) -> Result<(), Failure> {
    let mut fields = Fields::new(items);
    let mut separator = '[';
    while let Some((field, item)) = fields.next()? {
        if field != 1 {
            continue;
        }
        let mut value = AnyValue::Empty;
        value.merge(item.bytes()?)?;
        out.push(separator);
        write_value(out, &value, depth)?;
        separator = ',';
    }
    if separator == '[' {
        out.push('[');
    }
    out.push(']');
    Ok(())
}

fn write_map(out: &mut String, entries: &[u8], depth: usize) -> Result<(), Failure> {
    out.push('{');
    for (i, entry) in map_entries(entries)?.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        if entry.key.starts_with('$') {
            out.push_str("\"$");
            write_escaped(out, entry.key);
            out.push('"');
        } else {
            write_text(out, entry.key);
        }
        out.push(':');
        write_value(out, &entry.value()?, depth)?;
    }
    out.push('}');
    Ok(())
}

/// The entries of a `KeyValueList` message, keys unique. Their number and sizes are bounded by
/// the size of the value that holds them.
pub(crate) fn map_entries(message: &[u8]) -> Result<Vec<KeyValue<'_>>, Failure> {
    let unbounded = Limits {
        attribute_key_bytes_max: usize::MAX,
        attribute_value_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let mut entries = Vec::new();
    let mut fields = Fields::new(message);
    while let Some((field, entry)) = fields.next()? {
        if field == 1 {
            entries.push(KeyValue::read(entry.bytes()?, &unbounded)?);
        }
    }
    dedup(&mut entries);
    Ok(entries)
}

/// Appends a decimal integer.
pub(crate) fn write_int(out: &mut String, int: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = int.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        out.push('-');
    }
    digits[at..].iter().for_each(|digit| out.push(char::from(*digit)));
}

fn write_double(out: &mut String, double: f64) {
    if double.is_finite() {
        out.push_str(ryu::Buffer::new().format_finite(double));
        return;
    }
    let name = match double {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    };
    out.push_str("{\"$double\":\"");
    out.push_str(name);
    out.push_str("\"}");
}

/// Appends a value as the text of a label: strings as they are, doubles as JavaScript writes
/// them, bytes as base64, arrays and maps as JSON.
pub(crate) fn write_label_text(out: &mut String, value: &AnyValue<'_>) -> Result<(), Failure> {
    match value {
        AnyValue::Empty => {}
        AnyValue::Text(text) => out.push_str(text),
        AnyValue::Double(double) => {
            let magnitude = double.abs();
            let is_short = magnitude == 0.0 || (1e-6..1e21).contains(&magnitude);
            let written = match *double {
                f64::INFINITY => out.write_str("+Inf"),
                f64::NEG_INFINITY => out.write_str("-Inf"),
                double if is_short || double.is_nan() => write!(out, "{double}"),
                double => write!(out, "{double:e}"),
            };
            written.expect("a String takes all that is written");
        }
        AnyValue::Bytes(bytes) => BASE64_STANDARD.encode_string(bytes, out),
        other => write_value(out, other, 1)?,
    }
    Ok(())
}

/// What a resource without a name is called.
pub(crate) const UNKNOWN_SERVICE: &str = "unknown_service";

/// The text of `service.name`, [`UNKNOWN_SERVICE`] if that is absent or empty.
pub(crate) fn service_name<'a>(resource: &Resource<'a>) -> Result<Cow<'a, str>, Failure> {
    let Some(attribute) = resource.attribute("service.name") else {
        return Ok(Cow::Borrowed(UNKNOWN_SERVICE));
    };
    let name = match attribute.value()? {
        AnyValue::Text(text) => Cow::Borrowed(text),
        value => {
            let mut text = String::new();
            write_label_text(&mut text, &value)?;
            Cow::Owned(text)
        }
    };
    Ok(if name.is_empty() { Cow::Borrowed(UNKNOWN_SERVICE) } else { name })
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

#[cfg(test)]
mod tests;
