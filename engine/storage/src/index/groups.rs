//! Series by group: what an aggregation needs to know of the series that it reads.
//!
//! ```text
//!  ordinals ─▶ pairs that the grouping keeps ─ met before? ─▶ number of the group
//!                                                 │ no
//!                                                 └▶ labels, which the caller gives a number
//! ```
//!
//! Labels are made for groups only: of a million series in a hundred groups, for a hundred.

use ahash::HashMap;
use schemas::model::{CompiledMatcher, Grouping, Labels, METRIC_NAME, TimeRange};

use super::LabelIndex;
use super::entries::Entries;
use super::select::Reader;

/// A series, and where its values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupedSeries {
    /// `(metric_id, series_id)`.
    pub key: (i64, i64),
    /// What the caller made of its group.
    pub group: u32,
    /// Whether its samples are increases, each since the one before.
    pub is_delta: bool,
}

impl LabelIndex {
    /// The series that every matcher accepts and that were seen on a day of `range`, sorted by
    /// key, each with the number that `number` gave to its metric's id and the labels of its
    /// group: those that `grouping` keeps, and `__name__` whether it is kept or not. `admit` was
    /// told before how many series there are, and agreed.
    ///
    /// `number` is called once or a few times for each group, and must answer alike.
    pub fn resolve_groups<E>(
        &self,
        matchers: &[CompiledMatcher],
        range: &TimeRange,
        grouping: &Grouping,
        admit: impl FnOnce(usize) -> Result<(), E>,
        mut number: impl FnMut(i64, Labels) -> Result<u32, E>,
    ) -> Result<Vec<GroupedSeries>, E> {
        let _ordinals = self.ordinals.read();
        let mut reader = Reader::new(&self.entries);
        let selected = reader.select(matchers, range);
        let count = selected.count();
        admit(count)?;
        let kept = Kept::of(grouping, reader.entries());
        let mut known: HashMap<Box<[u32]>, u32> = HashMap::default();
        let mut found = Vec::with_capacity(count);
        let mut group = Vec::new();
        for ordinal in selected.iter() {
            let entries = reader.step();
            let key = entries.key(ordinal);
            group.clear();
            // A metric's id comes first, which has two halves.
            group.extend([(key.0 >> 32) as u32, key.0 as u32]);
            group.extend(entries.pairs(ordinal).iter().filter(|pair| kept.has(**pair, entries)));
            let number = match known.get(group.as_slice()) {
                Some(number) => *number,
                None => {
                    let labels = group[2..].iter().map(|pair| entries.names.label(*pair));
                    let number = number(key.0, Labels::from_sorted(labels))?;
                    known.insert(group.as_slice().into(), number);
                    number
                }
            };
            let is_delta = entries.is_delta(ordinal);
            found.push(GroupedSeries { key, group: number, is_delta });
        }
        drop(reader);
        found.sort_unstable_by_key(|series| series.key);
        Ok(found)
    }
}

/// Numbers of the label names that a grouping keeps.
struct Kept {
    names: Vec<u32>,
    /// Whether the names are those that are left out.
    is_without: bool,
}

impl Kept {
    fn of(grouping: &Grouping, entries: &Entries) -> Self {
        let find = |name: &str| entries.names.find(name).map(|found| found.0);
        let (names, is_without) = match grouping {
            Grouping::By(names) => (names, false),
            Grouping::Without(names) => (names, true),
        };
        let mut names: Vec<u32> = names.iter().filter_map(|name| find(name)).collect();
        if let Some(metric) = find(METRIC_NAME) {
            names.retain(|name| *name != metric);
            names.extend((!is_without).then_some(metric));
        }
        Self { names, is_without }
    }

    fn has(&self, pair: u32, entries: &Entries) -> bool {
        self.names.contains(&entries.names.name_of(pair)) != self.is_without
    }
}
