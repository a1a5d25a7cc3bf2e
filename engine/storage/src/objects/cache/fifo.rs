//! `Fifo`: which blocks stay, decided without moving anything when a block is used.
//!
//! ```text
//!  new ─▶ small (a tenth) ─ used again ─▶ main ─┐ used: round once more
//!            └─ not used ─▶ ghost (names only)  └─ not used ─▶ out
//!                             └─ comes back ─▶ main
//! ```
//!
//! A scan of everything passes through the small queue and leaves the main one alone, so what
//! every query reads (footers, index pages) outlives it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Part of all bytes that blocks which were used once may take: one in this many.
const SMALL_PART: u64 = 10;

/// Uses of a block that are remembered.
const USES_MAX: u8 = 3;

/// Names of blocks that are remembered after they went, at least.
const GHOSTS_MIN: usize = 1024;

/// Names of blocks that are gone from which on they are dropped from the queues.
const NAMES_MIN: usize = 1024;

/// A block of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Path of the object.
    pub(super) path: Arc<str>,
    /// Number of the block, from 0.
    pub(super) block: u32,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: u64,
    uses: u8,
    in_main: bool,
    /// Tells entries from older ones of the same key whose names are still in a queue.
    turn: u64,
}

/// Blocks by key, with a bound of bytes that is kept by those who insert.
#[derive(Debug)]
pub(super) struct Fifo<V> {
    entries: HashMap<Key, Entry<V>, ahash::RandomState>,
    small: VecDeque<(Key, u64)>,
    main: VecDeque<(Key, u64)>,
    ghosts: VecDeque<u64>,
    ghost_set: HashSet<u64>,
    small_bytes: u64,
    bytes: u64,
    turns: u64,
}

impl<V> Default for Fifo<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost_set: HashSet::new(),
            small_bytes: 0,
            bytes: 0,
            turns: 0,
        }
    }
}

impl<V> Fifo<V> {
    /// Bytes of all blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A block, which counts as used.
    pub(super) fn get(&mut self, key: &Key) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        entry.uses = (entry.uses + 1).min(USES_MAX);
        Some(&entry.value)
    }

    /// Whether a block is there; does not count as a use.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// Adds a block; the one of this key that was there.
    pub(super) fn insert(&mut self, key: Key, value: V, bytes: u64) -> Option<V> {
        let before = self.remove(&key);
        let in_main = self.ghost_set.remove(&self.ghost(&key));
        self.turns += 1;
        let turn = self.turns;
        self.entries.insert(key.clone(), Entry { value, bytes, uses: 0, in_main, turn });
        self.bytes += bytes;
        if in_main {
            self.main.push_back((key, turn));
        } else {
            self.small_bytes += bytes;
            self.small.push_back((key, turn));
        }
        before
    }

    /// Removes a block.
    pub(super) fn remove(&mut self, key: &Key) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.bytes -= entry.bytes;
        if !entry.in_main {
            self.small_bytes -= entry.bytes;
        }
        Some(entry.value)
    }

    /// Removes all blocks of objects.
    pub(super) fn remove_objects(&mut self, paths: &HashSet<String>) -> Vec<V> {
        let keys: Vec<Key> =
            self.entries.keys().filter(|key| paths.contains(&*key.path)).cloned().collect();
        let removed = keys.iter().filter_map(|key| self.remove(key)).collect();
        self.drop_names();
        removed
    }

    /// Drops the names of blocks that are gone from the queues, where they would stay until their
    /// turn, if they are more than the others.
    fn drop_names(&mut self) {
        if self.small.len() + self.main.len() <= 2 * self.entries.len() + NAMES_MIN {
            return;
        }
        let entries = &self.entries;
        let is_there =
            |(key, turn): &(Key, u64)| entries.get(key).is_some_and(|entry| entry.turn == *turn);
        self.small.retain(is_there);
        self.main.retain(is_there);
    }

    /// Removes the block that is missed least, with its bytes; `None` if there is none.
    pub(super) fn evict(&mut self) -> Option<(V, u64)> {
        loop {
            let from_small = self.small_bytes * SMALL_PART > self.bytes || self.main.is_empty();
            let queue = if from_small { &mut self.small } else { &mut self.main };
            let Some((key, turn)) = queue.pop_front() else {
                // Only names of blocks that went otherwise were in the other queue.
                if self.entries.is_empty() {
                    return None;
                }
                continue;
            };
            let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.turn == turn) else {
                continue;
            };
            if entry.uses > 0 {
                entry.uses = if from_small { 0 } else { entry.uses - 1 };
                if from_small {
                    self.small_bytes -= entry.bytes;
                    entry.in_main = true;
                }
                self.main.push_back((key, turn));
                continue;
            }
            if from_small {
                self.remember(&key);
            }
            let bytes = entry_bytes(&self.entries, &key);
            return self.remove(&key).map(|value| (value, bytes));
        }
    }

    fn remember(&mut self, key: &Key) {
        let ghost = self.ghost(key);
        if self.ghost_set.insert(ghost) {
            self.ghosts.push_back(ghost);
        }
        while self.ghosts.len() > self.entries.len().max(GHOSTS_MIN) {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.ghost_set.remove(&oldest);
            }
        }
    }

    fn ghost(&self, key: &Key) -> u64 {
        self.entries.hasher().hash_one(key)
    }
}

fn entry_bytes<V>(entries: &HashMap<Key, Entry<V>, ahash::RandomState>, key: &Key) -> u64 {
    entries.get(key).map_or(0, |entry| entry.bytes)
}

#[cfg(test)]
mod tests;
