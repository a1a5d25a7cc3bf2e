//! The columns of rows that are JSON objects, in the order in which they were written.
//!
//! Objects that are read as values are sorted by key; a `SELECT` has an order of its own.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// Names of the columns of the first row; none if the body is no array of objects.
pub(super) fn of_rows(body: &[u8]) -> Vec<String> {
    let rows: Vec<Keys> = serde_json::from_slice(body).unwrap_or_default();
    rows.into_iter().next().map(|keys| keys.0).unwrap_or_default()
}

#[derive(Debug)]
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = row.next_entry()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

#[cfg(test)]
mod tests;
