//! A set of ordinals while a selection is made: one bit for each entry of the index.

use super::posting::FIELD_WORDS;

/// A set of ordinals below a length.
#[derive(Clone, Debug)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The empty set of ordinals below `len`.
    pub(super) fn empty(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// The set of all ordinals below `len`.
    pub(super) fn full(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        bits.cut();
        bits
    }

    pub(super) fn insert(&mut self, ordinal: u32) {
        // What came after the selection began is left out.
        if (ordinal as usize) < self.len {
            self.words[ordinal as usize / 64] |= 1 << (ordinal % 64);
        }
    }

    pub(super) fn remove(&mut self, ordinal: u32) {
        if (ordinal as usize) < self.len {
            self.words[ordinal as usize / 64] &= !(1 << (ordinal % 64));
        }
    }

    pub(super) fn contains(&self, ordinal: u32) -> bool {
        (ordinal as usize) < self.len
            && self.words[ordinal as usize / 64] & (1 << (ordinal % 64)) != 0
    }

    /// Number of ordinals.
    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The ordinals, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(at as u32 * 64 + bit)
            })
        })
    }

    /// Keeps what is in `other`, too.
    pub(super) fn keep(&mut self, other: &Self) {
        self.zip(other, |word, other| *word &= other);
    }

    /// Keeps what is not in `other`.
    pub(super) fn take(&mut self, other: &Self) {
        self.zip(other, |word, other| *word &= !other);
    }

    /// Keeps what is in `kept` or not in `unless`.
    pub(super) fn keep_or_not(&mut self, kept: &Self, unless: &Self) {
        for ((word, kept), unless) in self.words.iter_mut().zip(&kept.words).zip(&unless.words) {
            *word &= kept | !unless;
        }
    }

    fn zip(&mut self, other: &Self, each: impl Fn(&mut u64, u64)) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            each(word, *other);
        }
    }

    /// Adds the ordinals with the high bits `key`, given as a bit field of their low bits.
    pub(super) fn add_field(&mut self, key: u16, field: &[u64; FIELD_WORDS]) {
        for (word, bits) in self.field_mut(key).iter_mut().zip(field) {
            *word |= bits;
        }
        self.cut();
    }

    pub(super) fn take_field(&mut self, key: u16, field: &[u64; FIELD_WORDS]) {
        for (word, bits) in self.field_mut(key).iter_mut().zip(field) {
            *word &= !bits;
        }
    }

    pub(super) fn meets_field(&self, key: u16, field: &[u64; FIELD_WORDS]) -> bool {
        let start = (usize::from(key) * FIELD_WORDS).min(self.words.len());
        self.words[start..].iter().zip(field).any(|(word, bits)| word & bits != 0)
    }

    fn field_mut(&mut self, key: u16) -> &mut [u64] {
        let start = (usize::from(key) * FIELD_WORDS).min(self.words.len());
        &mut self.words[start..]
    }

    /// Removes what a whole word has put beyond the length.
    fn cut(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(64)
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}
