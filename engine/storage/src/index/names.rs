//! Label names and values: every text is kept once, and knows who has it.

use std::cmp::Ordering;
use std::sync::Arc;

use ahash::{HashMap, RandomState};
use schemas::model::Label;

use super::pages::Pages;
use super::posting::Posting;
use super::sorted::Sorted;
use super::table::Table;

/// Memory of a shared text beside its bytes: two counters, and what the allocator rounds up.
const TEXT_BYTES: usize = 24;

/// Every name and value that entries have.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Name>,
    numbers: HashMap<Arc<str>, u32>,
    /// Numbers of names that nobody has any more, to be given again.
    free_names: Vec<u32>,
    pairs: Pages<Pair>,
    /// Pairs by name and value.
    table: Table,
    /// Pairs that nobody has any more, to be given again.
    free: Vec<u32>,
    hasher: RandomState,
    /// Memory of texts and postings.
    bytes: usize,
}

/// A label name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    /// The pairs of this name, by value.
    pub(super) values: Sorted,
    /// Entries that have the label.
    pub(super) present: Posting,
}

/// A name with a value.
#[derive(Debug)]
pub(super) struct Pair {
    name: u32,
    value: Arc<str>,
    /// Entries that have the value.
    pub(super) posting: Posting,
}

impl Pair {
    /// The value.
    pub(super) fn value(&self) -> &Arc<str> {
        &self.value
    }
}

impl Names {
    /// The names that entries have, in no order, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Name)> {
        self.numbers.values().map(|number| (*number, &self.names[*number as usize]))
    }

    /// A name by its number.
    pub(super) fn name(&self, number: u32) -> &Name {
        &self.names[number as usize]
    }

    /// A name that some entry has or had.
    pub(super) fn find(&self, text: &str) -> Option<(u32, &Name)> {
        let number = self.numbers.get(text)?;
        Some((*number, &self.names[*number as usize]))
    }

    /// A pair that some entry has.
    pub(super) fn pair(&self, pair: u32) -> &Pair {
        &self.pairs[pair]
    }

    /// The label of a pair.
    pub(super) fn label(&self, pair: u32) -> Label {
        let Pair { name, value, .. } = &self.pairs[pair];
        Label { name: Arc::clone(&self.names[*name as usize].text), value: Arc::clone(value) }
    }

    /// Name and value of a pair.
    pub(super) fn texts(&self, pair: u32) -> (&str, &str) {
        let Pair { name, value, .. } = &self.pairs[pair];
        (&self.names[*name as usize].text, value)
    }

    /// The number of the name of a pair.
    pub(super) fn name_of(&self, pair: u32) -> u32 {
        self.pairs[pair].name
    }

    /// The pair of a name and a value, if some entry has it.
    pub(super) fn find_pair(&self, name: u32, value: &str) -> Option<u32> {
        self.table.find(self.hash(name, value), |pair| {
            let pair = &self.pairs[pair];
            pair.name == name && pair.value.as_ref() == value
        })
    }

    /// The pairs of a name whose values begin with a text, in order.
    pub(super) fn with_prefix(&self, name: u32, prefix: &str) -> impl Iterator<Item = u32> {
        let values = &self.names[name as usize].values;
        let is_before = move |pair| self.pairs[pair].value.as_ref() < prefix;
        values
            .iter_from(is_before)
            .take_while(move |pair| self.pairs[*pair].value.starts_with(prefix))
    }

    /// Adds a label of an entry, and returns its pair. `near` is a pair that is likely to be it.
    pub(super) fn add(&mut self, label: (&str, &str), near: Option<u32>, ordinal: u32) -> u32 {
        let near = near.filter(|pair| self.texts(*pair) == label);
        let pair = near.unwrap_or_else(|| self.pair_of(label));
        let name = self.pairs[pair].name as usize;
        self.pairs[pair].posting.insert(ordinal, &mut self.bytes);
        self.names[name].present.insert(ordinal, &mut self.bytes);
        pair
    }

    /// Removes a label of an entry, and the pair if nobody has it any more.
    pub(super) fn remove(&mut self, pair: u32, ordinal: u32) {
        let name = self.pairs[pair].name as usize;
        self.names[name].present.remove(ordinal, &mut self.bytes);
        self.pairs[pair].posting.remove(ordinal, &mut self.bytes);
        if !self.pairs[pair].posting.is_empty() {
            return;
        }
        let Self { names, pairs, table, hasher, .. } = self;
        let value = Arc::clone(&pairs[pair].value);
        names[name].values.remove(|other| pairs[other].value.cmp(&value));
        let hash = hasher.hash_one((name as u32, value.as_ref()));
        table.remove(hash, pair, |pair| pair_hash(hasher, &pairs[pair]));
        self.bytes -= value.len() + TEXT_BYTES;
        self.pairs[pair].value = Arc::default();
        self.free.push(pair);
        if self.names[name].values.len() == 0 {
            let text = std::mem::take(&mut self.names[name].text);
            self.numbers.remove(&text);
            self.bytes -= text.len() + NAME_BYTES;
            self.free_names.push(name as u32);
        }
    }

    /// Memory of everything.
    pub(super) fn bytes(&self) -> usize {
        let sorted: usize = self.names.iter().map(|name| name.values.bytes()).sum();
        self.bytes
            + sorted
            + self.names.capacity() * size_of::<Name>()
            + self.pairs.bytes()
            + self.table.bytes()
            + self.free.capacity() * size_of::<u32>()
    }

    fn hash(&self, name: u32, value: &str) -> u64 {
        self.hasher.hash_one((name, value))
    }

    fn new_name(&mut self, text: &str) -> u32 {
        self.bytes += text.len() + NAME_BYTES;
        let text: Arc<str> = text.into();
        let new =
            Name { text: Arc::clone(&text), values: Sorted::default(), present: Posting::None };
        let number = match self.free_names.pop() {
            Some(number) => {
                self.names[number as usize] = new;
                number
            }
            None => {
                self.names.push(new);
                // There are no more names than pairs, whose numbers have 32 bits.
                self.names.len() as u32 - 1
            }
        };
        self.numbers.insert(text, number);
        number
    }

    fn pair_of(&mut self, (name, value): (&str, &str)) -> u32 {
        let name = match self.find(name) {
            Some((at, _)) => at,
            None => self.new_name(name),
        };
        if let Some(pair) = self.find_pair(name, value) {
            return pair;
        }
        let hash = self.hash(name, value);
        self.bytes += value.len() + TEXT_BYTES;
        let new = Pair { name, value: value.into(), posting: Posting::None };
        let pair = match self.free.pop() {
            Some(pair) => {
                self.pairs[pair] = new;
                pair
            }
            None => {
                self.pairs.push(new);
                self.pairs.len() as u32 - 1
            }
        };
        let Self { names, pairs, table, hasher, .. } = self;
        table.insert(hash, pair, |pair| pair_hash(hasher, &pairs[pair]));
        let compare = |other: u32| -> Ordering { pairs[other].value.as_ref().cmp(value) };
        names[name as usize].values.insert(pair, compare);
        pair
    }
}

/// Memory of a name beside its bytes and its postings: its text and its place in the map.
const NAME_BYTES: usize = TEXT_BYTES + 32;

fn pair_hash(hasher: &RandomState, pair: &Pair) -> u64 {
    hasher.hash_one((pair.name, pair.value.as_ref()))
}
