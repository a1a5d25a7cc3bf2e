//! Selection: from matchers to ordinals, without looking at every entry where it can be helped.
//!
//! Equalities come first because their postings are short; the other matchers either ask the
//! few candidates that are left or the values of their label, whichever are fewer.

use std::sync::Arc;

use schemas::model::{CompiledMatcher, TimeRange};

use super::days_of;
use super::entries::{Entries, LabelValues};

/// The entries that every matcher accepts and that were seen in `range`, ascending.
pub(super) fn select(
    entries: &Entries,
    matchers: &[CompiledMatcher],
    range: &TimeRange,
) -> Vec<u32> {
    let Some(days) = days_of(range) else { return Vec::new() };
    let (equalities, mut others): (Vec<_>, Vec<_>) =
        matchers.iter().partition(|matcher| matcher.equal_to().is_some());
    // What refuses an absent label leaves fewer candidates for what accepts it.
    others.sort_by_key(|matcher| matcher.matches(""));
    let mut candidates =
        if equalities.is_empty() { None } else { Some(intersect(entries, &equalities)) };
    for matcher in others {
        candidates = Some(narrow(entries, candidates, matcher));
    }
    let mut ordinals = candidates.unwrap_or_else(|| (0..entries.len() as u32).collect());
    ordinals.retain(|ordinal| entries.is_seen_in(*ordinal, days));
    ordinals
}

/// The values of a label that entries seen in `range` have, in no order.
pub(super) fn values_seen(entries: &Entries, name: &str, range: &TimeRange) -> Vec<Arc<str>> {
    let (Some(days), Some(values)) = (days_of(range), entries.label(name)) else {
        return Vec::new();
    };
    let is_seen =
        |ordinals: &[u32]| ordinals.iter().any(|ordinal| entries.is_seen_in(*ordinal, days));
    let seen = values.iter().filter(|(_, ordinals)| is_seen(ordinals));
    seen.map(|(value, _)| Arc::clone(value)).collect()
}

/// The entries that all equalities accept; there is at least one equality.
fn intersect(entries: &Entries, equalities: &[&CompiledMatcher]) -> Vec<u32> {
    let postings = |matcher: &&CompiledMatcher| {
        let values = entries.label(matcher.label());
        values.map_or(&[][..], |values| values.ordinals(matcher.equal_to().unwrap_or("")))
    };
    let mut lists: Vec<&[u32]> = equalities.iter().map(postings).collect();
    lists.sort_by_key(|list| list.len());
    let (shortest, longer) = lists.split_first().expect("the caller has an equality");
    let is_in_all = |ordinal: &u32| longer.iter().all(|list| list.binary_search(ordinal).is_ok());
    shortest.iter().copied().filter(is_in_all).collect()
}

/// The candidates, or all entries if there are none yet, that a matcher accepts.
fn narrow(entries: &Entries, candidates: Option<Vec<u32>>, matcher: &CompiledMatcher) -> Vec<u32> {
    let accepts_absent = matcher.matches("");
    let all = 0..entries.len() as u32;
    let Some(values) = entries.label(matcher.label()) else {
        return if accepts_absent { candidates.unwrap_or_else(|| all.collect()) } else { vec![] };
    };
    match candidates {
        Some(mut candidates) if candidates.len() <= values.len() => {
            candidates.retain(|ordinal| matcher.matches(entries.value(*ordinal, matcher.label())));
            candidates
        }
        // An entry is accepted if it is among those with an accepted value, or, where the absent
        // label is accepted, if it is not among those with a refused one.
        candidates => {
            let named = with_values(entries.len(), values, |value| {
                matcher.matches(value) != accepts_absent
            });
            let is_accepted = |ordinal: &u32| named.contains(*ordinal) != accepts_absent;
            match candidates {
                Some(candidates) => candidates.into_iter().filter(is_accepted).collect(),
                None => all.filter(is_accepted).collect(),
            }
        }
    }
}

fn with_values(entries: usize, values: &LabelValues, accepts: impl Fn(&str) -> bool) -> Bits {
    let mut bits = Bits { words: vec![0; entries.div_ceil(64)] };
    for (_, ordinals) in values.iter().filter(|(value, _)| accepts(value)) {
        for ordinal in ordinals {
            bits.insert(*ordinal);
        }
    }
    bits
}

/// A set of ordinals, one bit each.
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn insert(&mut self, ordinal: u32) {
        self.words[ordinal as usize / 64] |= 1 << (ordinal % 64);
    }

    fn contains(&self, ordinal: u32) -> bool {
        self.words[ordinal as usize / 64] & (1 << (ordinal % 64)) != 0
    }
}
