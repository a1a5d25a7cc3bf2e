//! Cardinality: what there is most of, told from the postings alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use schemas::model::{Label, METRIC_NAME};

use super::LabelIndex;
use super::select::Reader;

/// How many series, names and values an index has, and which have the most.
///
/// The lists are sorted by their numbers, greatest first, and of equal ones by the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Entries.
    pub series: u64,
    /// Different pairs of name and value.
    pub label_pairs: u64,
    /// Metric names with their series.
    pub series_by_metric: Vec<(Arc<str>, u64)>,
    /// Label names with the number of their different values.
    pub values_by_name: Vec<(Arc<str>, u64)>,
    /// Label names with the bytes of their different values.
    pub bytes_by_name: Vec<(Arc<str>, u64)>,
    /// Pairs of name and value with the series that have them.
    pub series_by_pair: Vec<(Label, u64)>,
}

impl LabelIndex {
    /// What there is most of: each list has `limit` items at most.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let names: Vec<Arc<str>> =
            reader.entries().names.iter().map(|(_, name)| Arc::clone(&name.text)).collect();
        let mut metrics = Most::new(limit);
        let (mut values, mut bytes) = (Most::new(limit), Most::new(limit));
        let mut by_pair = Most::new(limit);
        let mut label_pairs = 0;
        for name in names {
            let pairs = reader.pairs_of(&name);
            let mut size = 0;
            for pair in &pairs {
                let names = &reader.step().names;
                let found = names.pair(*pair);
                let series = found.posting.len() as u64;
                size += found.value().len() as u64;
                if *name == *METRIC_NAME {
                    metrics.add(series, || Arc::clone(found.value()));
                }
                by_pair.add(series, || names.label(*pair));
            }
            label_pairs += pairs.len() as u64;
            values.add(pairs.len() as u64, || Arc::clone(&name));
            bytes.add(size, || Arc::clone(&name));
        }
        Cardinality {
            series: reader.entries().len() as u64,
            label_pairs,
            series_by_metric: metrics.sorted(),
            values_by_name: values.sorted(),
            bytes_by_name: bytes.sorted(),
            series_by_pair: by_pair.sorted(),
        }
    }
}

/// The items with the greatest numbers of all that were added.
struct Most<T> {
    limit: usize,
    /// The least of them on top.
    items: BinaryHeap<Reverse<(u64, Reverse<T>)>>,
}

impl<T: Ord> Most<T> {
    fn new(limit: usize) -> Self {
        Self { limit, items: BinaryHeap::new() }
    }

    fn add(&mut self, number: u64, item: impl FnOnce() -> T) {
        let is_full = self.items.len() >= self.limit;
        let is_less = |least: &Reverse<(u64, Reverse<T>)>| least.0.0 > number;
        if self.limit == 0 || (is_full && self.items.peek().is_some_and(is_less)) {
            return;
        }
        self.items.push(Reverse((number, Reverse(item()))));
        if self.items.len() > self.limit {
            self.items.pop();
        }
    }

    fn sorted(self) -> Vec<(T, u64)> {
        let sorted = self.items.into_sorted_vec();
        sorted.into_iter().map(|Reverse((number, Reverse(item)))| (item, number)).collect()
    }
}
