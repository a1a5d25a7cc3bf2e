//! The days on which entries were seen: one posting for each day.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::posting::Posting;

/// Which entries were seen on which days, counted from 1970-01-01.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    days: BTreeMap<i32, Posting>,
    /// Seen on any day.
    seen: Posting,
    /// Memory of the postings.
    bytes: usize,
}

impl Days {
    /// Notes that an entry was seen on a day; tells whether that is new.
    pub(super) fn insert(&mut self, ordinal: u32, day: i32) -> bool {
        let is_new = self.days.entry(day).or_default().insert(ordinal, &mut self.bytes);
        if is_new {
            self.seen.insert(ordinal, &mut self.bytes);
        }
        is_new
    }

    /// Whether an entry was seen on any day.
    pub(super) fn is_seen(&self, ordinal: u32) -> bool {
        self.seen.contains(ordinal)
    }

    /// Whether an entry was seen on a day.
    pub(super) fn is_seen_on(&self, ordinal: u32, day: i32) -> bool {
        self.days.get(&day).is_some_and(|seen| seen.contains(ordinal))
    }

    /// How many entries were seen on a day.
    pub(super) fn seen_on(&self, day: i32) -> usize {
        self.days.get(&day).map_or(0, Posting::len)
    }

    /// The entries below `len` that were seen from `first` to `last`, both inclusive.
    pub(super) fn seen_in(&self, (first, last): (i32, i32), len: usize) -> Bits {
        let mut bits = Bits::empty(len);
        let is_before = |day: Option<&i32>| day.is_none_or(|day| *day >= first);
        let is_after = |day: Option<&i32>| day.is_none_or(|day| *day <= last);
        if is_before(self.days.keys().next()) && is_after(self.days.keys().next_back()) {
            self.seen.add_to(&mut bits);
        } else if first <= last {
            for posting in self.days.range(first..=last).map(|(_, posting)| posting) {
                posting.add_to(&mut bits);
            }
        }
        bits
    }

    /// Forgets that an entry was seen on the days that `gone` accepts.
    pub(super) fn remove(&mut self, ordinal: u32, gone: impl Fn(i32) -> bool) {
        let mut is_seen = false;
        for (day, posting) in &mut self.days {
            if gone(*day) {
                posting.remove(ordinal, &mut self.bytes);
            } else {
                is_seen |= posting.contains(ordinal);
            }
        }
        if !is_seen {
            self.seen.remove(ordinal, &mut self.bytes);
        }
    }

    /// Forgets the days before `day`; tells which of the entries below `len` were seen then and
    /// at no later time.
    pub(super) fn forget_before(&mut self, day: i32, len: usize) -> Bits {
        let kept = self.days.split_off(&day);
        let forgotten = std::mem::replace(&mut self.days, kept);
        let mut gone = Bits::empty(len);
        for posting in forgotten.values() {
            posting.add_to(&mut gone);
            self.bytes -= posting.bytes();
        }
        for posting in self.days.values() {
            posting.take_from(&mut gone);
        }
        for ordinal in gone.iter() {
            self.seen.remove(ordinal, &mut self.bytes);
        }
        gone
    }

    /// Memory of the postings.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.days.len() * size_of::<(i32, Posting)>() * 3 / 2
    }
}
