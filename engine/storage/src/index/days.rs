//! The days on which an id was seen: a bit each for the 64 days from the first, a list beyond.

/// Days in the bit field.
const WINDOW: i32 = 64;

/// A set of days, counted from 1970-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// The day of the lowest bit; meaningless while `bits` is zero.
    first: i32,
    bits: u64,
    /// Days outside of the window, ascending.
    others: Vec<i32>,
}

impl Days {
    /// Whether no day is known.
    pub(super) fn is_empty(&self) -> bool {
        // Days go to `others` only once the window has a day.
        self.bits == 0
    }

    /// Adds a day; tells whether it is new.
    pub(super) fn insert(&mut self, day: i32) -> bool {
        if self.bits == 0 {
            self.first = day;
        }
        if let Some(bit) = self.bit(day) {
            let is_new = self.bits & bit == 0;
            self.bits |= bit;
            return is_new;
        }
        match self.others.binary_search(&day) {
            Ok(_) => false,
            Err(at) => {
                self.others.insert(at, day);
                true
            }
        }
    }

    /// Whether `day` is in the set.
    pub(super) fn contains(&self, day: i32) -> bool {
        match self.bit(day) {
            Some(bit) => self.bits & bit != 0,
            None => self.others.binary_search(&day).is_ok(),
        }
    }

    /// Whether a day from `first` to `last`, both inclusive, is in the set.
    pub(super) fn overlaps(&self, first: i32, last: i32) -> bool {
        let from = (i64::from(first) - i64::from(self.first)).clamp(0, i64::from(WINDOW));
        let to = (i64::from(last) - i64::from(self.first) + 1).clamp(0, i64::from(WINDOW));
        if from < to {
            let mask = (u64::MAX >> (i64::from(WINDOW) - (to - from))) << from;
            if self.bits & mask != 0 {
                return true;
            }
        }
        let at = self.others.partition_point(|day| *day < first);
        self.others.get(at).is_some_and(|day| *day <= last)
    }

    fn bit(&self, day: i32) -> Option<u64> {
        let offset = i64::from(day) - i64::from(self.first);
        (0..i64::from(WINDOW)).contains(&offset).then(|| 1 << offset)
    }
}
