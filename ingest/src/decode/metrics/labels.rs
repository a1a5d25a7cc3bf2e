//! The labels of a data point, and the ids of its series.
//!
//! ```text
//!  attributes of the point ─┐
//!  base: job, instance, …  ─┼─▶ entries, sorted by name ─▶ bytes ─▶ xxh3 = Labels::id
//!  __name__, le, quantile  ─┘
//! ```
//!
//! Points of one metric mostly have the same keys in the same order. Then only the values are
//! read anew; names, order and rules of precedence are kept from the point before, and nothing is
//! allocated.

use std::ops::Range;
use std::sync::Arc;

use ahash::AHashMap;
use schemas::model::METRIC_NAME;
use xxhash_rust::xxh3::xxh3_64;

use super::super::Failure;
use super::super::attributes::{self, KeyValue};
use super::names::label_name;
use crate::admit::{Reason, Rejection};
use crate::limits::Limits;

/// A label that all points of a resource have.
#[derive(Clone, Debug)]
pub(super) struct BaseLabel {
    /// Sanitised name.
    pub(super) name: Arc<str>,
    /// The value.
    pub(super) value: Arc<str>,
    /// Whether it holds against an attribute of the same name.
    pub(super) wins: bool,
}

/// Where the value of an entry comes from.
#[derive(Clone, Debug)]
enum Source {
    /// The part of `text` that an attribute was written to.
    Text(Range<usize>),
    /// The resource.
    Base(Arc<str>),
    /// The metric's name, given when it is asked for.
    Name,
    /// The value of the extra label, given when it is asked for; if none is given, that of the
    /// attribute with this name.
    Extra(Range<usize>),
}

#[derive(Clone, Debug)]
struct Entry {
    name: Arc<str>,
    source: Source,
}

/// The labels of the data point that is being read.
#[derive(Debug)]
pub(super) struct PointLabels<'a> {
    base: Vec<BaseLabel>,
    extra: Option<&'static str>,
    label_names: AHashMap<&'a str, Arc<str>>,
    /// Sorted by name, names unique; an empty value means that the label is absent.
    entries: Vec<Entry>,
    /// Keys of the point that `entries` was made for, and where each has its entry; an attribute
    /// that lost against another label has none.
    keys: Vec<&'a str>,
    slots: Vec<Option<usize>>,
    is_reusable: bool,
    text: String,
    hashed: Vec<u8>,
}

impl<'a> PointLabels<'a> {
    pub(super) fn new() -> Self {
        Self {
            base: Vec::new(),
            extra: None,
            label_names: AHashMap::new(),
            entries: Vec::new(),
            keys: Vec::new(),
            slots: Vec::new(),
            is_reusable: false,
            text: String::new(),
            hashed: Vec::new(),
        }
    }

    /// What follows has these labels beside its own.
    pub(super) fn set_base(&mut self, base: Vec<BaseLabel>) {
        self.base = base;
        self.is_reusable = false;
    }

    /// What follows has series that differ in this label, `le` or `quantile`.
    pub(super) fn set_extra(&mut self, extra: Option<&'static str>) {
        if self.extra != extra {
            self.extra = extra;
            self.is_reusable = false;
        }
    }

    /// Reads the attributes of a point; keys are unique.
    pub(super) fn read(
        &mut self,
        attributes: &[KeyValue<'a>],
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.text.clear();
        let is_same = self.is_reusable
            && self.keys.len() == attributes.len()
            && self.keys.iter().zip(attributes).all(|(key, attribute)| *key == attribute.key);
        if !is_same {
            // Stays so if the point is rejected halfway.
            self.is_reusable = false;
            return self.rebuild(attributes, limits);
        }
        for (attribute, slot) in attributes.iter().zip(&self.slots) {
            let range = write_value(&mut self.text, attribute, limits)?;
            if let Some(slot) = slot {
                match &mut self.entries[*slot].source {
                    Source::Text(kept) | Source::Extra(kept) => *kept = range,
                    Source::Base(_) | Source::Name => {}
                }
            }
        }
        Ok(())
    }

    fn rebuild(&mut self, attributes: &[KeyValue<'a>], limits: &Limits) -> Result<(), Failure> {
        let mut named = Vec::with_capacity(attributes.len());
        for (i, attribute) in attributes.iter().enumerate() {
            named.push((self.label_name(attribute.key, limits)?, attribute.key, i));
        }
        // Values of keys that become one name are joined in the order of the keys.
        named.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        self.entries.clear();
        let mut has_collisions = false;
        for (name, _, i) in &named {
            let joins = self.entries.last().is_some_and(|entry| entry.name == *name);
            if joins {
                self.text.push(';');
            }
            let range = write_value(&mut self.text, &attributes[*i], limits)?;
            match self.entries.last_mut() {
                Some(Entry { source: Source::Text(kept), .. }) if joins => {
                    kept.end = range.end;
                    has_collisions = true;
                }
                _ => {
                    self.entries.push(Entry { name: Arc::clone(name), source: Source::Text(range) })
                }
            }
        }
        self.add_others();
        if self.entries.len() > limits.labels_max {
            let (labels, max) = (self.entries.len(), limits.labels_max);
            let message = format!("a series has {labels} labels, limit {max}");
            return Err(Rejection::new(Reason::Labels, message).into());
        }
        self.keys.clear();
        self.slots.clear();
        named.sort_by_key(|(_, _, i)| *i);
        for (name, key, _) in &named {
            let found = self.entries.binary_search_by(|entry| entry.name.cmp(name)).ok();
            let is_fed =
                |at: &usize| matches!(self.entries[*at].source, Source::Text(_) | Source::Extra(_));
            self.keys.push(key);
            self.slots.push(found.filter(is_fed));
        }
        self.is_reusable = !has_collisions;
        Ok(())
    }

    /// Adds what is no attribute, and restores the order.
    fn add_others(&mut self) {
        for base in &self.base {
            let source = Source::Base(Arc::clone(&base.value));
            match self.entries.iter_mut().find(|entry| entry.name == base.name) {
                Some(entry) if base.wins => entry.source = source,
                Some(_) => {}
                None => self.entries.push(Entry { name: Arc::clone(&base.name), source }),
            }
        }
        match self.entries.iter_mut().find(|entry| entry.name.as_ref() == METRIC_NAME) {
            Some(entry) => entry.source = Source::Name,
            None => self.entries.push(Entry { name: METRIC_NAME.into(), source: Source::Name }),
        }
        if let Some(extra) = self.extra {
            match self.entries.iter_mut().find(|entry| entry.name.as_ref() == extra) {
                Some(entry) => {
                    let kept = match &entry.source {
                        Source::Text(range) => range.clone(),
                        _ => 0..0,
                    };
                    entry.source = Source::Extra(kept);
                }
                None => {
                    self.entries.push(Entry { name: extra.into(), source: Source::Extra(0..0) });
                }
            }
        }
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn label_name(&mut self, key: &'a str, limits: &Limits) -> Result<Arc<str>, Failure> {
        if let Some(name) = self.label_names.get(key) {
            return Ok(Arc::clone(name));
        }
        let name: Arc<str> = label_name(key).into();
        if name.is_empty() || name.len() > limits.label_name_bytes_max {
            let (bytes, max) = (name.len(), limits.label_name_bytes_max);
            let message = format!("a label's name has {bytes} bytes, must have 1 to {max}");
            return Err(Rejection::new(Reason::Labels, message).into());
        }
        self.label_names.insert(key, Arc::clone(&name));
        Ok(name)
    }

    /// The labels of the series with this name and this value of the extra label, sorted by name;
    /// none is empty.
    pub(super) fn iter<'l>(
        &'l self,
        name: &'l str,
        extra: &'l str,
    ) -> impl Iterator<Item = (&'l str, &'l str)> + Clone {
        let text = &self.text;
        let pairs = self.entries.iter().map(move |entry| {
            let value = match &entry.source {
                Source::Text(range) => &text[range.clone()],
                Source::Base(value) => value,
                Source::Name => name,
                Source::Extra(range) if extra.is_empty() => &text[range.clone()],
                Source::Extra(_) => extra,
            };
            (entry.name.as_ref(), value)
        });
        pairs.filter(|pair| !pair.1.is_empty())
    }

    /// The id of the series with this name and this value of the extra label: `Labels::id` of
    /// [`Self::iter`].
    pub(super) fn id(&mut self, name: &str, extra: &str) -> i64 {
        let mut hashed = std::mem::take(&mut self.hashed);
        hashed.clear();
        for (name, value) in self.iter(name, extra) {
            hashed.extend_from_slice(name.as_bytes());
            hashed.push(0xFF);
            hashed.extend_from_slice(value.as_bytes());
            hashed.push(0xFF);
        }
        let id = xxh3_64(&hashed) as i64;
        self.hashed = hashed;
        id
    }
}

/// Writes an attribute's value and returns where it stands.
fn write_value(
    text: &mut String,
    attribute: &KeyValue<'_>,
    limits: &Limits,
) -> Result<Range<usize>, Failure> {
    let start = text.len();
    attributes::write_label_text(text, &attribute.value()?)?;
    check_value(attribute.key, text.len() - start, limits)?;
    Ok(start..text.len())
}

/// Rejects values of labels that are too long.
pub(super) fn check_value(name: &str, bytes: usize, limits: &Limits) -> Result<(), Failure> {
    let max = limits.label_value_bytes_max;
    if bytes > max {
        let message = format!("the value of label {name:.64} has {bytes} bytes, limit {max}");
        return Err(Rejection::new(Reason::Labels, message).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
