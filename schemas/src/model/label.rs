//! Labels: the names and values that identify a series or a stream.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// One `name="value"` pair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// UTF-8 name, not empty.
    pub name: Arc<str>,
    /// UTF-8 value; an empty value means the same as an absent label.
    pub value: Arc<str>,
}

impl Label {
    /// A label from its two texts.
    pub fn new(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A set of labels: sorted by name, names unique, cheap to clone.
///
/// Two sets are equal exactly if they identify the same series.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Label]>);

impl Labels {
    /// Sorts `labels` by name; of several with one name the last wins. Empty values are dropped.
    pub fn new(mut labels: Vec<Label>) -> Self {
        labels.reverse();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        labels.dedup_by(|later, kept| later.name == kept.name);
        labels.retain(|label| !label.value.is_empty());
        Self(labels.into())
    }

    /// Takes labels that are sorted by name already, names unique, no value empty.
    pub fn from_sorted(labels: impl Iterator<Item = Label>) -> Self {
        let labels: Arc<[Label]> = labels.collect();
        debug_assert!(labels.is_sorted_by(|a, b| a.name < b.name));
        Self(labels)
    }

    /// Sorts `labels` by name and keeps empty values, which LogQL shows and tells apart.
    pub fn with_empty_values(mut labels: Vec<Label>) -> Self {
        labels.reverse();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        labels.dedup_by(|later, kept| later.name == kept.name);
        Self(labels.into())
    }

    /// The value of `name`, or the empty string if the label is absent.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The value of `name`, or `None` if the label is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|label| label.name.as_ref().cmp(name)).ok()?;
        Some(&self.0[at].value)
    }

    /// The labels in order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels that `keep` accepts, in order.
    pub fn filter(&self, keep: impl Fn(&Label) -> bool) -> Self {
        if self.0.iter().all(&keep) {
            return self.clone();
        }
        Self(self.0.iter().filter(|label| keep(label)).cloned().collect())
    }

    /// This set with `name` set to `value`; an empty value removes the label.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut labels: Vec<Label> =
            self.0.iter().filter(|label| label.name.as_ref() != name).cloned().collect();
        if !value.is_empty() {
            labels.push(Label::new(name, value));
            labels.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Self(labels.into())
    }

    /// The identity of the set: a 64-bit xxh3 of the sorted pairs, each text followed by 0xFF.
    ///
    /// The byte cannot occur in UTF-8, so two different sets never hash the same bytes. Stored
    /// as a signed integer because open table formats have no unsigned one.
    pub fn id(&self) -> i64 {
        let mut hash = Xxh3::new();
        for label in self.0.iter() {
            hash.update(label.name.as_bytes());
            hash.update(&[0xFF]);
            hash.update(label.value.as_bytes());
            hash.update(&[0xFF]);
        }
        hash.digest() as i64
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<T: IntoIterator<Item = Label>>(iter: T) -> Self {
        Self::new(iter.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Labels {
    /// `{a="1", b="2"}`, values quoted as in PromQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, label) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}={:?}", label.name, label.value)?;
        }
        f.write_str("}")
    }
}
