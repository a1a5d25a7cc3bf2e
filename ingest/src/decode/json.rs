//! OTLP JSON → OTLP protobuf, so that one decoder reads both and the WAL holds one form.
//!
//! The messages are described by [`descriptors`]; a visitor walks the JSON once and writes fields
//! as they come, without a tree in between. The rules are those of protobuf's JSON mapping with
//! OTLP's exceptions: trace and span ids are hex, enums are integers (names are taken, too),
//! unknown keys are ignored, `null` is the default. A message's length is put before it when it
//! is complete.

mod descriptors;

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use schemas::model::Signal;

use self::descriptors::{Field, Kind, Message};
use crate::error::{Error, ErrorKind};

/// A JSON export request as protobuf. Nesting is limited to 128 levels of JSON.
pub(crate) fn transcode(signal: Signal, json: &[u8]) -> Result<Vec<u8>, Error> {
    let message = match signal {
        Signal::Logs => &descriptors::LOGS_REQUEST,
        Signal::Metrics => &descriptors::METRICS_REQUEST,
        Signal::Traces => &descriptors::TRACES_REQUEST,
    };
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = MessageSeed { message, out: &mut out }.deserialize(&mut reader);
    read.and_then(|()| reader.end()).map_err(|error| {
        let message = format!("body is no OTLP JSON: {error}");
        Error::with_source(ErrorKind::Invalid, message, error)
    })?;
    Ok(out)
}

/// Writes the fields of a message.
struct MessageSeed<'o> {
    message: &'static Message,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(TextSeed)? {
            match self.message.field(&key) {
                Some(field) => map.next_value_seed(FieldSeed { field, out: self.out })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a key without a copy where it has no escapes.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Writes a field with all its values; `null` writes nothing.
struct FieldSeed<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.field.name;
        match (self.field.kind, self.field.is_repeated) {
            (_, true) => write!(f, "an array for {name}"),
            (Kind::Message(_), _) => write!(f, "an object for {name}"),
            (Kind::Text | Kind::Bytes | Kind::Hex, _) => write!(f, "a string for {name}"),
            (Kind::Bool, _) => write!(f, "a bool for {name}"),
            (Kind::Enum(_), _) => write!(f, "a number or a known name for {name}"),
            _ => write!(f, "a number that {name} can hold"),
        }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.field.is_repeated {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        while seq.next_element_seed(ItemSeed { field: self.field, out: self.out })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.field.is_repeated {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        }
        ItemSeed { field: self.field, out: self.out }.visit_map(map)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.single()?.visit_bool(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.single()?.visit_i64(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.single()?.visit_u64(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.single()?.visit_f64(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.single()?.visit_str(value)
    }
}

impl<'o> FieldSeed<'o> {
    fn single<E: de::Error>(self) -> Result<ItemSeed<'o>, E> {
        if self.field.is_repeated {
            return Err(E::custom(format!("{} must be an array", self.field.name)));
        }
        Ok(ItemSeed { field: self.field, out: self.out })
    }
}

/// Writes one value of a field, with its tag.
struct ItemSeed<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ItemSeed<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value that {} can hold", self.field.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        };
        write_tag(self.out, self.field.number, 2);
        let start = self.out.len();
        MessageSeed { message: message(), out: self.out }.visit_map(map)?;
        insert_length(self.out, start);
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool => self.varint(u64::from(value)),
            _ => return Err(E::invalid_type(de::Unexpected::Bool(value), &self)),
        }
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if self.field.kind == Kind::Double {
            self.fixed64(value.to_bits());
            return Ok(());
        }
        // `1.0` and `1e3` are integers, too; beyond 2^53 a double says not which one.
        if value.fract() != 0.0 || value.abs() > 9_007_199_254_740_992.0 {
            return Err(E::invalid_value(de::Unexpected::Float(value), &self));
        }
        self.integer(value as i128)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        let invalid = |seed: &Self| E::invalid_value(de::Unexpected::Str(clipped(value)), seed);
        match self.field.kind {
            Kind::Text => self.bytes(value.as_bytes()),
            Kind::Hex => match hex::decode(value) {
                Ok(bytes) => self.bytes(&bytes),
                Err(_) => return Err(invalid(&self)),
            },
            Kind::Bytes => match decode_base64(value) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(invalid(&self)),
            },
            Kind::Double => match parse_double(value) {
                Some(double) => self.fixed64(double.to_bits()),
                None => return Err(invalid(&self)),
            },
            Kind::Enum(names) => match names.iter().find(|(name, _)| *name == value) {
                Some((_, number)) => return self.integer(i128::from(*number)),
                None => match value.parse() {
                    Ok(number) => return self.integer(number),
                    Err(_) => return Err(invalid(&self)),
                },
            },
            Kind::Bool | Kind::Message(_) => return Err(invalid(&self)),
            _ => match value.parse() {
                Ok(number) => return self.integer(number),
                Err(_) => return Err(invalid(&self)),
            },
        }
        Ok(())
    }
}

impl ItemSeed<'_> {
    fn integer<E: de::Error>(self, value: i128) -> Result<(), E> {
        let fits = match self.field.kind {
            Kind::Double => true,
            Kind::Int64 | Kind::SFixed64 => i64::try_from(value).is_ok(),
            Kind::UInt64 | Kind::Fixed64 => u64::try_from(value).is_ok(),
            Kind::UInt32 | Kind::Fixed32 => u32::try_from(value).is_ok(),
            Kind::SInt32 | Kind::Enum(_) => i32::try_from(value).is_ok(),
            Kind::Bool | Kind::Text | Kind::Bytes | Kind::Hex | Kind::Message(_) => false,
        };
        if !fits {
            return Err(E::custom(format!("{} cannot hold {value}", self.field.name)));
        }
        match self.field.kind {
            Kind::Double => self.fixed64((value as f64).to_bits()),
            Kind::SFixed64 | Kind::Fixed64 => self.fixed64(value as u64),
            Kind::Fixed32 => {
                write_tag(self.out, self.field.number, 5);
                self.out.extend_from_slice(&(value as u32).to_le_bytes());
            }
            Kind::SInt32 => {
                let value = value as i32;
                self.varint(u64::from(((value << 1) ^ (value >> 31)) as u32));
            }
            _ => self.varint(value as i64 as u64),
        }
        Ok(())
    }

    fn varint(self, value: u64) {
        write_tag(self.out, self.field.number, 0);
        write_varint(self.out, value);
    }

    fn fixed64(self, bits: u64) {
        write_tag(self.out, self.field.number, 1);
        self.out.extend_from_slice(&bits.to_le_bytes());
    }

    fn bytes(self, bytes: &[u8]) {
        write_tag(self.out, self.field.number, 2);
        write_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }
}

/// Texts in messages to the sender are cut here.
const TOLD_BYTES_MAX: usize = 64;

fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(TOLD_BYTES_MAX)]
}

fn parse_double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.parse().ok(),
        _ => None,
    }
}

/// Both alphabets, with or without padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}

fn write_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    write_varint(out, u64::from(field << 3 | wire_type));
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Puts the length of what begins at `start` before it. Most messages are short, so moving them
/// by a byte or two costs less than a pass that measures first.
fn insert_length(out: &mut Vec<u8>, start: usize) {
    let mut length = (out.len() - start) as u64;
    let mut bytes = [0_u8; 10];
    let mut used = 0;
    loop {
        bytes[used] = (length & 0x7F) as u8;
        length >>= 7;
        if length == 0 {
            break;
        }
        bytes[used] |= 0x80;
        used += 1;
    }
    out.splice(start..start, bytes[..=used].iter().copied());
}

#[cfg(test)]
mod tests;
