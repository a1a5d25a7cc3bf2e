//! A series' labels, sorted and checked, and its id.

use schemas::model::METRIC_NAME;
use xxhash_rust::xxh3::xxh3_64;

use super::super::labels::check_value;
use super::{About, Shared, Version, about, each};
use crate::admit::{Reason, Rejection};
use crate::decode::Failure;
use crate::decode::attributes::utf8;
use crate::decode::wire::{Fields, Malformed, MarkedFields};
use crate::known::Key;
use crate::limits::Limits;

/// The labels of the series that is being read.
#[derive(Default)]
pub(super) struct Series<'a> {
    /// Sorted by name, names unique, no value empty.
    pairs: Vec<(&'a str, &'a str)>,
    /// Metadata that came with the series.
    pub(super) about: Option<About<'a>>,
}

impl<'a> Series<'a> {
    /// Reads the labels and the metadata of a `TimeSeries` message.
    pub(super) fn read(
        &mut self,
        message: &'a [u8],
        shared: &Shared<'a>,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.pairs.clear();
        self.about = metadata(message, shared)?;
        for (name, value) in labels(message, shared)? {
            let name = utf8(name, "a label's name")?;
            let value = utf8(value, "a label's value")?;
            if name.is_empty() {
                return Err(rejected("a label without a name".to_owned()));
            }
            check_name(name, limits)?;
            check_value(name, value.len(), limits)?;
            // An empty value means that the label is absent.
            if !value.is_empty() {
                self.pairs.push((name, value));
            }
        }
        if !self.pairs.is_sorted_by(|a, b| a.0 < b.0) {
            self.pairs.sort_unstable();
            if let Some(pair) = self.pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(rejected(format!("a series has the label {:.64} twice", pair[0].0)));
            }
        }
        let (count, max) = (self.pairs.len(), limits.labels_max);
        if count > max {
            let name = self.value(METRIC_NAME).unwrap_or_default();
            let message = format!("a series of {name:.64} has {count} labels, limit {max}");
            return Err(rejected(message));
        }
        Ok(())
    }

    /// The value of a label; `None` if it is absent.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        let at = self.pairs.binary_search_by(|pair| pair.0.cmp(name)).ok()?;
        Some(self.pairs[at].1)
    }

    /// The labels, sorted by name.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.pairs.iter().copied()
    }

    /// `Labels::id` of the labels; `hashed` is room to work in.
    pub(super) fn id(&self, hashed: &mut Vec<u8>) -> i64 {
        hashed.clear();
        for (name, value) in &self.pairs {
            hashed.extend_from_slice(name.as_bytes());
            hashed.push(0xFF);
            hashed.extend_from_slice(value.as_bytes());
            hashed.push(0xFF);
        }
        xxh3_64(hashed) as i64
    }
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Failure> {
    let (bytes, max) = (name.len(), limits.label_name_bytes_max);
    if bytes > max {
        let message = format!("label {name:.64} has a name of {bytes} bytes, limit {max}");
        return Err(rejected(message));
    }
    Ok(())
}

fn rejected(message: String) -> Failure {
    Rejection::new(Reason::Labels, message).into()
}

/// Stands for the labels of a `TimeSeries` message in lookups; `None` if they lie apart. `hashed`
/// is room to work in.
///
/// Of 1.0 it is the hash of their bytes; of 2.0, where the same labels have other numbers in each
/// request, of the hashes of their symbols.
pub(super) fn key(
    message: &[u8],
    shared: &Shared<'_>,
    seed: u64,
    hashed: &mut Vec<u8>,
) -> Result<Option<Key>, Malformed> {
    if shared.version == Version::One {
        let mut fields = MarkedFields::new(message, 1);
        while fields.next()?.is_some() {}
        return Ok(fields.marked().map(|labels| Key::new(labels, seed)));
    }
    let mut fields = Fields::new(message);
    hashed.clear();
    let mut is_whole = true;
    while let Some((field, value)) = fields.next()? {
        if field != 1 {
            continue;
        }
        value.each_varint(|reference| {
            let hash = usize::try_from(reference).ok().and_then(|at| shared.hashes.get(at));
            is_whole &= hash.is_some();
            hashed.extend_from_slice(&hash.copied().unwrap_or_default().to_le_bytes());
        })?;
    }
    // Seeded otherwise: bytes of 1.0 could be the same by chance.
    Ok(is_whole.then(|| Key::new(hashed, seed.wrapping_add(1))))
}

/// A label's name and value as they were sent.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// The labels of a `TimeSeries` or `Exemplar` message as they were sent.
pub(super) fn labels<'a>(
    message: &'a [u8],
    shared: &Shared<'a>,
) -> Result<Vec<Pair<'a>>, Malformed> {
    let mut pairs = Vec::new();
    let mut references = Vec::new();
    each(message, |field, value| {
        if field != 1 {
            return Ok(());
        }
        if shared.version == Version::Two {
            return value.each_varint(|reference| references.push(reference as u32));
        }
        let (mut name, mut text) = (&[][..], &[][..]);
        each(value.bytes()?, |field, value| {
            match field {
                1 => name = value.bytes()?,
                2 => text = value.bytes()?,
                _ => {}
            }
            Ok(())
        })?;
        pairs.push((name, text));
        Ok(())
    })?;
    let (references, rest) = references.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Malformed("a label has a name and no value"));
    }
    for [name, value] in references {
        pairs.push((shared.symbol(*name)?, shared.symbol(*value)?));
    }
    Ok(pairs)
}

/// The metadata of a `TimeSeries` message of 2.0.
fn metadata<'a>(message: &'a [u8], shared: &Shared<'a>) -> Result<Option<About<'a>>, Malformed> {
    if shared.version == Version::One {
        return Ok(None);
    }
    let mut found = None;
    each(message, |field, value| {
        if field != 5 {
            return Ok(());
        }
        let (mut kind, mut help, mut unit) = (0, 0, 0);
        each(value.bytes()?, |field, value| {
            match field {
                1 => kind = value.uint32()?,
                3 => help = value.uint32()?,
                4 => unit = value.uint32()?,
                _ => {}
            }
            Ok(())
        })?;
        found = Some(about(kind, shared.symbol(help)?, shared.symbol(unit)?));
        Ok(())
    })?;
    Ok(found)
}
