//! A hash table of numbers whose keys lie elsewhere, so no key is held twice.
//!
//! Open addressing with linear probing; what is removed is closed up, so there are no graves.
//! The table has shards that grow one by one: a growing shard is short work, where a table of
//! millions would hold up everybody who waits for the lock around it.

/// Shards; the low bits of a hash choose one, the high bits a place in it.
const SHARDS: usize = 16;

/// A place that holds nothing.
const EMPTY: u32 = u32::MAX;

/// Places of a shard that has any.
const PLACES_MIN: usize = 8;

/// A set of numbers below `u32::MAX`, found by the hash of what they stand for.
#[derive(Clone, Debug)]
pub(super) struct Table {
    shards: [Shard; SHARDS],
}

impl Default for Table {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()) }
    }
}

#[derive(Clone, Debug, Default)]
struct Shard {
    /// A power of two in number, or none.
    places: Vec<u32>,
    len: usize,
}

impl Table {
    /// The number of this hash that `is` recognises.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.shards[shard_of(hash)].probe(hash).find(|number| is(*number))
    }

    /// Adds a number that is not yet in the table; `hash_of` tells the hashes of the others.
    pub(super) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let shard = &mut self.shards[shard_of(hash)];
        // At most three quarters are taken.
        if (shard.len + 1) * 4 > shard.places.len() * 3 {
            shard.grow(&hash_of);
        }
        shard.put(hash, number);
        shard.len += 1;
    }

    /// Removes a number if it is in the table.
    pub(super) fn remove(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        self.shards[shard_of(hash)].remove(hash, number, hash_of);
    }

    /// Memory of the places.
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.places.capacity() * size_of::<u32>()).sum()
    }
}

fn shard_of(hash: u64) -> usize {
    hash as usize % SHARDS
}

impl Shard {
    fn home(&self, hash: u64) -> usize {
        // The low bits are the same for all of a shard.
        (hash >> 32) as usize & (self.places.len() - 1)
    }

    fn probe(&self, hash: u64) -> impl Iterator<Item = u32> {
        let start = if self.places.is_empty() { 0 } else { self.home(hash) };
        let (before, from) = self.places.split_at(start);
        from.iter().chain(before).copied().take_while(|number| *number != EMPTY)
    }

    fn put(&mut self, hash: u64, number: u32) {
        let mask = self.places.len() - 1;
        let mut at = self.home(hash);
        while self.places[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.places[at] = number;
    }

    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let places = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![EMPTY; places]);
        for number in old.into_iter().filter(|number| *number != EMPTY) {
            self.put(hash_of(number), number);
        }
    }

    fn remove(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if self.places.is_empty() {
            return;
        }
        let mask = self.places.len() - 1;
        let mut gap = self.home(hash);
        while self.places[gap] != number {
            if self.places[gap] == EMPTY {
                return;
            }
            gap = (gap + 1) & mask;
        }
        self.len -= 1;
        // Whoever stands behind the gap and would have liked an earlier place moves into it.
        let mut at = gap;
        loop {
            self.places[gap] = EMPTY;
            loop {
                at = (at + 1) & mask;
                let number = self.places[at];
                if number == EMPTY {
                    return;
                }
                let home = self.home(hash_of(number));
                if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                    self.places[gap] = number;
                    gap = at;
                    break;
                }
            }
        }
    }
}
