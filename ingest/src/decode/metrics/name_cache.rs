//! Names of metrics that came lately: what is made of a name and a unit is made once.

use std::sync::Arc;

use ahash::AHashMap;
use parking_lot::RwLock;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::Kind;
use super::names::{self, Suffix};

/// Memory of the names that are kept, in bytes, about.
const BYTES_MAX: usize = 4 << 20;

/// Memory of a metric's names beside their texts, in bytes, about.
const NAMES_BYTES: usize = 256;

/// A metric's name as stored.
#[derive(Debug, Default)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) metric_id: i64,
}

impl Name {
    pub(super) fn new(text: String) -> Self {
        let metric_id = xxh3_64(text.as_bytes()) as i64;
        Self { text, metric_id }
    }
}

/// The names of a metric's series; the parts are empty if its kind has none.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) plain: Name,
    pub(super) bucket: Name,
    pub(super) sum: Name,
    pub(super) count: Name,
}

impl Names {
    fn new(plain: String, kind: Kind) -> Self {
        let part = |part: &str| Name::new(format!("{plain}_{part}"));
        match kind {
            Kind::Histogram | Kind::Summary => Self {
                bucket: part("bucket"),
                sum: part("sum"),
                count: part("count"),
                plain: Name::new(plain),
            },
            _ => Self { plain: Name::new(plain), ..Self::default() },
        }
    }

    fn bytes(&self) -> usize {
        let parts = [&self.plain, &self.bucket, &self.sum, &self.count];
        NAMES_BYTES + parts.iter().map(|name| name.text.len()).sum::<usize>()
    }
}

/// Names by the hash of what they are made of. When they take too much all are forgotten.
#[derive(Debug, Default)]
pub(crate) struct NameCache(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    names: AHashMap<u128, Arc<Names>>,
    bytes: usize,
}

impl NameCache {
    /// The names of a metric's series; `None` if nothing of its name can be kept. `hashed` is room
    /// to work in.
    pub(super) fn names(
        &self,
        (name, unit): (&str, &str),
        (kind, suffix): (Kind, Suffix),
        hashed: &mut Vec<u8>,
    ) -> Option<Arc<Names>> {
        identify(hashed, (name, unit), (kind, suffix));
        let key = xxh3_128(hashed);
        if let Some(names) = self.0.read().names.get(&key) {
            return Some(Arc::clone(names));
        }
        let names = Arc::new(Names::new(names::metric_name(name, unit, suffix)?, kind));
        let mut inner = self.0.write();
        inner.bytes += names.bytes();
        if inner.bytes > BYTES_MAX {
            *inner = Inner { bytes: names.bytes(), ..Inner::default() };
        }
        inner.names.insert(key, Arc::clone(&names));
        Some(names)
    }
}

/// Writes what the names of a metric's series depend on, told apart by bytes that no text has.
pub(super) fn identify(
    hashed: &mut Vec<u8>,
    (name, unit): (&str, &str),
    (kind, suffix): (Kind, Suffix),
) {
    hashed.clear();
    hashed.extend_from_slice(name.as_bytes());
    hashed.push(0xFF);
    hashed.extend_from_slice(unit.as_bytes());
    hashed.extend_from_slice(&[0xFF, kind as u8, suffix as u8]);
}

#[cfg(test)]
mod tests;
